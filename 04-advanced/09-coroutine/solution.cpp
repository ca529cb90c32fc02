// One way to do it: cancel, then join, then free.
#include "04-advanced/09-coroutine/check.hpp"

// The owner wants the task gone. It waits for `read`, or for nothing: then `read` is null.
void destroy(Task task, Read* read) {
  if (read == nullptr) return task.frame.destroy();
  read->abandoned = true;
  start_cancel(*read);
}

// The read's CQE came; read.armed is false already.
void on_read(Read& read, int res) {
  read.res = res;
  if (!read.abandoned) return read.waiting.resume();
  if (!read.cancel_armed) read.waiting.destroy();
}

// The cancel's own CQE came; read.cancel_armed is false already.
void on_cancel(Read& read) {
  if (!read.armed) read.waiting.destroy();
}

int main(int argc, char** argv) { return check::run(argc, argv); }
