// shows: what is wrong with giving a slot back at the cancel's CQE
// needs: Linux 6.0
// try:   run it, read what it says, change on_cqe()
#include <cerrno>

#include "01-core/11-cancel/check.hpp"

namespace {

// Called for every CQE. The pool has two functions: deliver(slot, count) hands bytes to the
// application, give_back(slot) makes the slot free for something else.
void on_cqe(check::Pool& pool, std::uint64_t user_data, int res) {
  const unsigned slot = check::slot_of(user_data);

  // YOUR TURN 1: what does this CQE say about the slot, and what does it not say?
  if (check::is_cancel(user_data)) {
    pool.give_back(slot);
    return;
  }

  // YOUR TURN 2: when does a read need nothing more to be done?
  if (res == -ECANCELED) return;
  if (res == 8) pool.deliver(slot, res);
  pool.give_back(slot);
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  return check::judge(lesson, &on_cqe);
}
