// A protocol that answers in capital letters, a buffer at a time. What cannot be answered now goes
// back to the engine.
#include "06-server/08-your-protocol/check.hpp"

namespace {

class Upper : public lab::ProtocolDefaults {
 public:
  static constexpr bool uses_buffers = true;
  explicit Upper(Shared&) noexcept {}

  void on_bytes(auto& io, lab::Segment bytes) noexcept {
    while (!bytes.empty()) {
      lab::PooledBuffer out;
      if (io.room() > 0) out = io.take_buffer();
      if (!out) {
        io.unread(std::move(bytes));
        return;
      }
      const auto count =
          static_cast<std::uint32_t>(std::min<std::size_t>(bytes.size(), out.space().size()));
      check::upper(bytes.bytes().first(count), out.space());
      io.send(std::move(out).filled(count));
      bytes.drop_front(count);
    }
  }

  void on_turn(auto& io) noexcept { io.receive(lab::Receive::on); }
};

}  // namespace

int main(int argc, char** argv) { return check::judge<Upper>(argc, argv); }
