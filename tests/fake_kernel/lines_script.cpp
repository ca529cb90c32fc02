// The line protocol's oracle.
#include <fmt/format.h>

#include <array>
#include <string>

#include "06-server/lib/protocol/lines.hpp"
#include "tests/fake_kernel/dialogue.hpp"
#include "tests/fake_kernel/lines_files.hpp"
#include "tests/fake_kernel/random.hpp"

namespace lab::fake {

namespace {

class LinesScript final : public Dialogue {
 public:
  explicit LinesScript(std::uint64_t key) : Dialogue(std::string(Lines::greeting)), random_(key) {
    const unsigned dice = random_.below(100);
    ending_ = dice < 35 ? Ending::bye : dice < 50 ? Ending::too_long : Ending::none;
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
    if (dice < 8) {
      const auto files = lines_files();
      const LineFile& file = files[random_.below(files.size())];
      ask(fmt::format("read {}\n", file.name),
          fmt::format("{}: {} bytes of {}\n{}", number_, file.size, file.name,
                      *file_content(file.fd)));
    } else if (dice < 12) {
      ask("read nothing\n", fmt::format("{}: no such file\n", number_));
    } else {
      const std::string line = words(random_.below(dice < 20 ? Lines::line_max + 1 : 40));
      ask(line + '\n', fmt::format("{}: {}\n", number_, line));
    }
  }

  void add_end() const {
    ++number_;
    if (ending_ == Ending::bye) return end("bye\n", 4, fmt::format("{}: bye\n", number_));
    const std::size_t more = random_.below(3000);
    end(words(Lines::line_max + 1 + more), Lines::line_max + 1,
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
  mutable unsigned lines_left_;
  mutable std::uint64_t number_ = 0;
};

const std::array<std::string, 3>& contents() {
  const auto made = [](std::uint64_t key, std::size_t size) {
    std::string text;
    for (std::size_t at = 0; at < size; ++at) text += static_cast<char>(content(key, at));
    return text;
  };
  static const std::array all{made(1, 0), made(2, 700), made(3, 20'000)};
  return all;
}

constexpr int first_fd = 1'000'000;

}  // namespace

const Subject subject = Subject::lines;

std::shared_ptr<const Script> make_script(std::uint64_t key) {
  return std::make_shared<LinesScript>(key);
}

std::optional<std::string_view> file_content(int fd) {
  const auto index = static_cast<std::size_t>(fd - first_fd);
  if (fd < first_fd || index >= contents().size()) return {};
  return contents()[index];
}

std::span<const LineFile> lines_files() {
  static const std::array files{LineFile{"empty", first_fd, contents()[0].size()},
                                LineFile{"small", first_fd + 1, contents()[1].size()},
                                LineFile{"large", first_fd + 2, contents()[2].size()}};
  return files;
}

}  // namespace lab::fake
