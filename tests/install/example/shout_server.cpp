// The lab's server engine with a protocol of one's own: it answers in capital letters.
//   shout-server --port 8000       and elsewhere:   nc localhost 8000

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "06-server/lib/process/serve.hpp"

namespace {

// [walk protocol]
class Shout : public lab::ProtocolDefaults {
 public:
  static constexpr bool uses_buffers = true;  // received bytes are not ours to change
  explicit Shout(Shared&) noexcept {}

  void on_bytes(auto& io, lab::Segment bytes) noexcept {
    waits_ = false;
    while (!bytes.empty()) {
      lab::PooledBuffer answer;
      if (io.room() > 0) answer = io.take_buffer();
      if (!answer) {  // the peer does not read, or others have all buffers: on_turn() follows
        waits_ = true;
        io.unread(std::move(bytes));
        return;
      }
      const std::size_t size = std::min<std::size_t>(bytes.size(), answer.space().size());
      std::ranges::transform(bytes.bytes().first(size), answer.space().begin(), upper);
      bytes.drop_front(static_cast<std::uint32_t>(size));
      io.send(std::move(answer).filled(static_cast<std::uint32_t>(size)));
    }
  }
  void on_turn(auto& io) noexcept { io.receive(lab::Receive::on); }
  bool idle() const noexcept { return !waits_; }

 private:
  static std::byte upper(std::byte byte) noexcept {
    const bool small = byte >= std::byte{'a'} && byte <= std::byte{'z'};
    return small ? byte ^ std::byte{0x20} : byte;
  }

  bool waits_ = false;  // true while bytes that were given back wait for a buffer
};
static_assert(lab::Protocol<Shout>);
// [/walk]

}  // namespace

// [walk main]
int main(int argc, char** argv) {
  lab::ServerCommand command({.name = "shout-server", .description = "Answers in capitals."});
  command.parse(argc, argv);
  return lab::serve<Shout>(command);
}
// [/walk]
