// Raw segments: an echo that sends back the very buffers it received.
//   ./lab run session-echo          and elsewhere:   nc localhost 8000

#include <utility>

#include "06-server/lib/process/serve_sessions.hpp"

namespace {

// [walk echo]
lab::Task echo(lab::FramePool&, lab::SessionIo& session) {
  while (const lab::Received got = co_await session.read()) {
    for (lab::Segment& bytes : got.segments) co_await session.send(std::move(bytes));
  }
  co_return 0;  // the peer's end, a drain, an idle timeout, or the connection is lost
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::ServerCommand command({
      .name = "session-echo",
      .description = "An echo server that is a coroutine.\n\n"
                     "Try it:   session-echo   then, elsewhere:   nc localhost 8000",
  });
  command.parse(argc, argv);
  return lab::serve_sessions<echo>(command);
}
