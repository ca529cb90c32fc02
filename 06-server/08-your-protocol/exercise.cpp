// A protocol that answers in capital letters. As it is, it answers as Echo does: the received bytes
// themselves. They belong to the engine and must not be changed, so a copy is needed.
#include "06-server/08-your-protocol/check.hpp"

namespace {

class Upper : public lab::ProtocolDefaults {
 public:
  // YOUR TURN 1: an answer that is written needs a buffer. What does the engine have to be told?
  explicit Upper(Shared&) noexcept {}

  void on_bytes(auto& io, lab::Segment bytes) noexcept {
    // YOUR TURN 2: take_buffer() gives a buffer, or none. It may be smaller than `bytes`. Ask for
    // room() before each send. What cannot be answered now goes back with unread().
    // check::upper(from, to) writes capital letters.
    io.send(std::move(bytes));
  }

  // YOUR TURN 3: who says when the bytes that went back are wanted again?
};

}  // namespace

int main(int argc, char** argv) { return check::judge<Upper>(argc, argv); }
