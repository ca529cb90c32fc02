// 256 KiB in 16 pieces, for a socket that takes a few KiB at a time. As it is, every piece gets a
// send of its own at once. Keep one send in flight, and finish what came back short.
#include "03-network/09-ordered-echo/check.hpp"

// The next bytes of the stream came.
void on_bytes(Stream& stream, std::string_view bytes) {
  // YOUR TURN 1: is a send in flight already?
  start_send(stream, bytes);
}

// A send is over. res: how many of its bytes the socket took, at least 1.
void on_send(Stream& stream, int res) {
  // YOUR TURN 2: what is left to be sent?
  (void)stream;
  (void)res;
}

int main(int argc, char** argv) { return check::run(argc, argv); }
