// shows: order follows the result, lifetime follows the last CQE
// needs: nothing of the kernel: the CQEs are made by hand
// try:   compare it with yours
#include "03-network/13-send-zc/check.hpp"

namespace {

// Called for every CQE of a zero-copy send from `buffer`.
void on_cqe(lab::Desk& desk, unsigned buffer, const io_uring_cqe& cqe) {
  // A notification's res is no result: with the usage report it even looks like an error.
  if ((cqe.flags & IORING_CQE_F_NOTIF) == 0) {
    if (cqe.res < 0) {
      desk.close_connection();
    } else {
      desk.send_next();
    }
  }
  // Not "at the notification": a send that fails at once has none, and its buffer would be lost.
  if ((cqe.flags & IORING_CQE_F_MORE) == 0) desk.give_back(buffer);
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  return lab::Judge(on_cqe).run();
}
