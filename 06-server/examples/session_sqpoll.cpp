// SQPOLL: a thread of the kernel takes what the session asks for, and the worker need not call it.
// It spins on a core of its own, and sleeps after a while in which nobody asks.
//   ./lab run session-sqpoll        and elsewhere:   nc localhost 8000

#include <utility>
#include <vector>

#include "06-server/lib/process/serve_sessions.hpp"

namespace {

lab::Task echo(lab::FramePool&, lab::SessionIo& session) {
  while (const lab::Received got = co_await session.read()) {
    for (lab::Segment& bytes : got.segments) co_await session.send(std::move(bytes));
  }
  co_return 0;
}

}  // namespace

int main(int argc, char** argv) {
  lab::ServerCommand command({
      .name = "session-sqpoll",
      .description = "An echo server that is a coroutine, with --sqpoll. Try --workers 1.",
  });
  // The session is the same: how its ring is polled is an option of the server's.
  std::vector<const char*> words(argv, argv + argc);
  words.push_back("--sqpoll");
  command.parse(static_cast<int>(words.size()), words.data());
  return lab::serve_sessions<echo>(command);
}
