// A shelf that all clients share: "put WORD" and "take", one line each. As it is, nothing is on the
// shelf, nobody is ever sent away, and nobody is told why. Combine what 06-06, 06-07 and this
// lesson taught.
#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "06-server/13-sessions/check.hpp"

namespace {

// What the sessions of a worker have in common. YOUR TURN 1: what is on it?
struct Shelf {};

// YOUR TURN 1 (this lesson): "put bread" is answered with "ok", "take" with the oldest word, or
// with "nothing", and everything else with "what?".
// YOUR TURN 2 (06-06): with check::shelf_max words it is "full".
std::string answer(Shelf& shelf, std::string_view line) {
  static_cast<void>(shelf);
  static_cast<void>(line);
  return "what?\n";
}

lab::Task talk(lab::FramePool&, lab::SessionIo& session, Shelf& shelf) {
  std::array<std::byte, check::line_max + 1> memory;
  lab::PipeReader reader(session, memory);
  for (;;) {
    // YOUR TURN 2 (06-06): who says nothing for check::patience_ms has to go.
    const auto line = co_await reader.read_until('\n', check::line_max);
    // YOUR TURN 2 and 3 (06-07): a wait for a line has six results. "too long", "too slow" and
    // "closing" (the server drains) are said; then the session ends. To whom is nothing said?
    if (!line) co_return 0;
    co_await session.write(answer(shelf, line.text()));
  }
}

}  // namespace

int main(int argc, char** argv) { return check::run<lab::Session<talk>>(argc, argv); }
