// A shelf that all clients share: "put WORD" and "take", one line each. Whoever is sent away is
// told why.
#include <array>
#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "06-server/13-sessions/check.hpp"

namespace {

// What the sessions of a worker have in common.
struct Shelf {
  std::deque<std::string> words;
};

std::string answer(Shelf& shelf, std::string_view line) {
  constexpr std::string_view put = "put ";
  if (line.starts_with(put)) {
    if (shelf.words.size() == check::shelf_max) return "full\n";
    shelf.words.emplace_back(line.substr(put.size()));
    return "ok\n";
  }
  if (line != "take") return "what?\n";
  if (shelf.words.empty()) return "nothing\n";
  std::string word = std::move(shelf.words.front());
  shelf.words.pop_front();
  return word + '\n';
}

std::string_view last_words(lab::SessionResult result) {
  switch (result) {
    case lab::SessionResult::too_long:
      return "too long\n";
    case lab::SessionResult::timeout:
      return "too slow\n";
    case lab::SessionResult::drain:
      return "closing\n";
    default:  // nobody listens, or nobody expects an answer
      return "";
  }
}

lab::Task talk(lab::FramePool&, lab::SessionIo& session, Shelf& shelf) {
  std::array<std::byte, check::line_max + 1> memory;
  lab::PipeReader reader(session, memory);
  for (;;) {
    session.deadline(check::patience_ms);
    const auto line = co_await reader.read_until('\n', check::line_max);
    if (!line) {
      co_await session.write(last_words(line.result));
      co_return 0;
    }
    co_await session.write(answer(shelf, line.text()));
  }
}

}  // namespace

int main(int argc, char** argv) { return check::run<lab::Session<talk>>(argc, argv); }
