// Exercise 03-05, solved: a listener that survives -EMFILE.
// shows: when a multishot accept is armed again, and when it is not
// needs: Linux 5.19
// try:   read it after you have tried; hints.md first
#include <liburing.h>

#include "03-network/05-multishot-accept/check.hpp"

struct Acceptor {
  io_uring& ring;
  int listener;
  // True while no accept is armed because no descriptor was free.
  bool waits_for_close = false;

  void start() {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_multishot_accept(sqe, listener, nullptr, nullptr, SOCK_CLOEXEC);
  }

  // A CQE of the accept. The connection itself (res >= 0) is kept by somebody else.
  void on_accept(int res, unsigned flags) {
    if ((flags & IORING_CQE_F_MORE) != 0) return;
    if (res == -EMFILE) {
      // Armed at once it would end with -EMFILE at once, and so on, at full speed.
      waits_for_close = true;
    } else {
      start();
    }
  }

  // A connection was closed: there is one more free descriptor.
  void on_close() {
    if (!waits_for_close) return;
    waits_for_close = false;
    start();
  }
};

int main(int argc, char** argv) { return lab::judge<Acceptor>(argc, argv); }
