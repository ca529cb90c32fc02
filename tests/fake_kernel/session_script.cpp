// The oracle of the session: what it answers, whatever it waits for in between.
#include <fmt/format.h>

#include <array>
#include <string>

#include "tests/fake_kernel/dialogue.hpp"
#include "tests/fake_kernel/random.hpp"
#include "tests/fake_kernel/session_words.hpp"

namespace lab::fake {

namespace {

class SessionScript final : public Dialogue {
 public:
  explicit SessionScript(std::uint64_t key)
      : Dialogue(std::string(session_greeting)), random_(key) {
    const unsigned dice = random_.below(100);
    ending_ = dice < 30 ? Ending::bye : dice < 40 ? Ending::too_long : Ending::none;
    thoughts_left_ = random_.below(4);
    lines_left_ = random_.between(0, random_.chance(500) ? 5 : 60);
    if (ending_ != Ending::none) reach_the_end();
  }

 private:
  enum class Ending : std::uint8_t { none, bye, too_long };

  void go_on() const override {
    if (ending_ != Ending::none && lines_left_ == 0) return add_end();
    --lines_left_;
    ++number_;
    const unsigned dice = random_.below(100);
    if (dice < 10 && thoughts_left_ > 0) {
      --thoughts_left_;
      answer(dice < 5 ? "think" : "ring");
    } else if (dice < 15) {
      answer("constant", std::string(session_constant));
    } else if (dice < 20) {
      answer("flush");
    } else if (dice < 25) {
      answer("fill", std::string(fill_bytes * fill_pieces, 'f'));
    } else {
      answer(words(random_.below(dice < 35 ? session_line_max + 1 : 40)));
    }
  }

  void answer(const std::string& word, const std::string& before = {}) const {
    ask(word + '\n', fmt::format("{}{}: {}\n", before, number_, word));
  }

  void add_end() const {
    ++number_;
    if (ending_ == Ending::bye) return end("bye\n", 4, fmt::format("{}: bye\n", number_));
    const std::size_t more = random_.below(3000);
    end(words(session_line_max + 1 + more), session_line_max + 1,
        fmt::format("{}: too long\n", number_));
  }

  // In capitals: by chance, one of 20,000 lines would be a command.
  std::string words(std::size_t size) const {
    std::string text;
    while (text.size() < size) text += static_cast<char>('A' + random_.below(26));
    return text;
  }

  Ending ending_;
  mutable Random random_;
  mutable unsigned thoughts_left_;
  mutable unsigned lines_left_;
  mutable std::uint64_t number_ = 0;
};

}  // namespace

const Subject subject = Subject::session;

std::shared_ptr<const Script> make_script(std::uint64_t key) {
  return std::make_shared<SessionScript>(key);
}

std::optional<std::string_view> file_content(int) { return {}; }

}  // namespace lab::fake
