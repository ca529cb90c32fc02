// Exercise 03-05: a listener that survives -EMFILE.
// shows: when a multishot accept is armed again, and when it is not
// needs: Linux 5.19
// try:   ./lab exercise 03/05; it compiles and fails, and says why
#include <liburing.h>

#include "03-network/05-multishot-accept/check.hpp"

struct Acceptor {
  io_uring& ring;
  int listener;
  // YOUR TURN 1: what does it have to remember? Add fields here, each with its first value.

  void start() {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_multishot_accept(sqe, listener, nullptr, nullptr, SOCK_CLOEXEC);
  }

  // A CQE of the accept. The connection itself (res >= 0) is kept by somebody else.
  void on_accept(int res, unsigned flags) {
    // YOUR TURN 2: is the accept still armed? If not, may it be armed again now?
    (void)res;
    (void)flags;
  }

  // A connection was closed: there is one more free descriptor.
  void on_close() {
    // YOUR TURN 3
  }
};

int main(int argc, char** argv) { return lab::judge<Acceptor>(argc, argv); }
