// shows: a slot is given back at the read's CQE, whatever its res, and nowhere else
// needs: Linux 6.0
// try:   compare it with yours
#include "01-core/11-cancel/check.hpp"

namespace {

void on_cqe(check::Pool& pool, std::uint64_t user_data, int res) {
  // It says what became of the cancel. About the slot it says nothing: the read's CQE may come
  // later, or may have come before, and then the slot belongs to somebody else by now.
  if (check::is_cancel(user_data)) return;

  const unsigned slot = check::slot_of(user_data);
  if (res > 0) pool.deliver(slot, res);
  pool.give_back(slot);
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  return check::judge(lesson, &on_cqe);
}
