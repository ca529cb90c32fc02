// 256 KiB in 16 pieces, for a socket that takes a few KiB at a time. As it is, every piece gets a
// send of its own at once. Keep one send in flight, and finish what came back short.
#include "03-network/09-ordered-echo/check.hpp"

namespace {

void send_next(Stream& stream) {
  if (stream.sending || stream.outbox.empty()) return;
  stream.sending = true;
  start_send(stream, stream.outbox.front());
}

}  // namespace

// The next bytes of the stream came.
void on_bytes(Stream& stream, std::string_view bytes) {
  stream.outbox.push_back(bytes);
  send_next(stream);
}

// A send is over. res: how many of its bytes the socket took, at least 1.
void on_send(Stream& stream, int res) {
  stream.sending = false;
  stream.outbox.front().remove_prefix(static_cast<std::size_t>(res));
  if (stream.outbox.front().empty()) stream.outbox.pop_front();
  send_next(stream);
}

int main(int argc, char** argv) { return check::run(argc, argv); }
