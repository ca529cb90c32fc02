// A task is destroyed while it waits for a read. The kernel has the read's memory, and that lies in
// the frame. `./lab exercise 04/09` runs it; check.hpp plays the kernel.
#include "04-advanced/09-coroutine/check.hpp"

// The owner wants the task gone. It waits for `read`, or for nothing: then `read` is null.
void destroy(Task task, Read* read) {
  // YOUR TURN 1: this frees the frame at once. When may that be, and what comes first otherwise?
  (void)read;
  task.frame.destroy();
}

// The read's CQE came; read.armed is false already.
void on_read(Read& read, int res) {
  // YOUR TURN 2: the task goes on, unless it was destroyed. Then: is this the last CQE?
  read.res = res;
  read.waiting.resume();
}

// The cancel's own CQE came; read.cancel_armed is false already.
void on_cancel(Read& read) {
  // YOUR TURN 3: is this the last CQE?
  (void)read;
}

int main(int argc, char** argv) { return check::run(argc, argv); }
