// The receiver has 4 buffers for 512 bytes, and its consumer keeps each buffer for a while. Start
// the next receive when it can succeed: not before, not twice, and not never.
#include <cerrno>

#include "03-network/07-multishot-recv/check.hpp"

// The receive's last CQE came. Its data, if it had any, is already with the consumer.
// res: bytes, 0 at the peer's FIN, -ENOBUFS, or the error of a connection that broke.
void on_receive_ended(Receiver& receiver, int res) {
  // YOUR TURN 1: when is this right, and what is to be done when it is not?
  if (res != 0) start_receive(receiver);
}

// The consumer gave a buffer back; free_buffers counts it already.
void on_buffer_home(Receiver& receiver) {
  // YOUR TURN 2: somebody may have waited for this.
  receiver.waiting = false;
}

int main(int argc, char** argv) { return check::run(argc, argv); }
