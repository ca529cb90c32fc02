// shows: a handler that recycles its buffer at the wrong CQE
// needs: nothing of the kernel: the CQEs are made by hand
// try:   ./lab exercise 03-13, change on_cqe(), run it again
#include "03-network/13-send-zc/check.hpp"

namespace {

// Called for every CQE of a zero-copy send from `buffer`.
void on_cqe(lab::Desk& desk, unsigned buffer, const io_uring_cqe& cqe) {
  // YOUR TURN 1: the connection goes on, or ends, by the result. Is every CQE a result?
  if (cqe.res < 0) {
    desk.close_connection();
  } else {
    desk.send_next();
  }
  // YOUR TURN 2: the buffer comes home too early. When may it?
  desk.give_back(buffer);
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  return lab::Judge(on_cqe).run();
}
