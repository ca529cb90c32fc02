// A byte stream: read into memory of one's own, as with read(2) and write(2).
//   ./lab run session-stream        and elsewhere:   nc localhost 8000

#include <array>
#include <cstddef>
#include <span>

#include "06-server/lib/process/serve_sessions.hpp"
#include "06-server/lib/protocol/session/byte_stream.hpp"

namespace {

// [walk shout]
lab::Task shout(lab::FramePool&, lab::SessionIo& session) {
  lab::ByteStream stream(session);
  std::array<std::byte, 512> memory;
  while (const auto got = co_await stream.read(memory)) {
    const std::span<std::byte> bytes = std::span(memory).first(got.count);
    for (std::byte& one : bytes) {
      if (one >= std::byte{'a'} && one <= std::byte{'z'}) one ^= std::byte{'a' ^ 'A'};
    }
    co_await stream.write(bytes);
  }
  co_return 0;
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::ServerCommand command({
      .name = "session-stream",
      .description = "Says everything that it is told in capitals.",
  });
  command.parse(argc, argv);
  return lab::serve_sessions<shout>(command);
}
