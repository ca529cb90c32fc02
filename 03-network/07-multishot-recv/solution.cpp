// The receiver has 4 buffers for 512 bytes, and its consumer keeps each buffer for a while. Start
// the next receive when it can succeed: not before, not twice, and not never.
#include <cerrno>

#include "03-network/07-multishot-recv/check.hpp"

// The receive's last CQE came. Its data, if it had any, is already with the consumer.
// res: bytes, 0 at the peer's FIN, -ENOBUFS, or the error of a connection that broke.
void on_receive_ended(Receiver& receiver, int res) {
  if (res <= 0 && res != -ENOBUFS) return;
  // Between the kernel's -ENOBUFS and now a buffer may have come home. Whoever waits for the next
  // one would wait for ever when that was the last.
  if (receiver.free_buffers > 0) {
    start_receive(receiver);
  } else {
    receiver.waiting = true;
  }
}

// The consumer gave a buffer back; free_buffers counts it already.
void on_buffer_home(Receiver& receiver) {
  if (!receiver.waiting) return;
  receiver.waiting = false;
  start_receive(receiver);
}

int main(int argc, char** argv) { return check::run(argc, argv); }
