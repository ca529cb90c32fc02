// A pipe reader: it tells the lines of a client apart, however they were cut on their way.
//   ./lab run session-lines         and elsewhere:   nc localhost 8000

#include <array>
#include <cstddef>

#include "06-server/lib/process/serve_sessions.hpp"
#include "06-server/lib/protocol/session/pipe_reader.hpp"

namespace {

// [walk lines]
lab::Task lines(lab::FramePool&, lab::SessionIo& session) {
  std::array<std::byte, 201> memory;
  lab::PipeReader reader(session, memory);
  session.deadline(10'000);
  while (const auto line = co_await reader.read_until('\n', 200)) {
    session.deadline(10'000);  // for the next one
    if (line.text() == "bye") co_return 0;
    co_await session.write("you said: ");
    co_await session.write(line.text());
    co_await session.write("\n");
  }
  co_return 0;  // too long, too slow, the end, or lost
}
// [/walk]

}  // namespace

// [walk main]
int main(int argc, char** argv) {
  lab::ServerCommand command({
      .name = "session-lines",
      .description = "Repeats each line that it is sent, up to 200 bytes. \"bye\" ends it.",
  });
  command.parse(argc, argv);
  return lab::serve_sessions<lines>(command);
}
// [/walk]
