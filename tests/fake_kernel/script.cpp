#include "tests/fake_kernel/script.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "06-server/lib/protocol/lines.hpp"

namespace lab::fake {

namespace {

class EchoScript final : public Script {
 public:
  explicit EchoScript(std::uint64_t key) : key_(key) {}

  void say(std::uint64_t position, std::span<std::byte> into) const override {
    for (std::byte& byte : into) byte = static_cast<std::byte>(content(key_, position++));
  }
  std::size_t agrees(std::uint64_t position, std::span<const std::byte> heard) const override {
    std::size_t count = 0;
    while (count < heard.size() &&
           heard[count] == static_cast<std::byte>(content(key_, position + count))) {
      ++count;
    }
    return count;
  }
  std::uint64_t due(std::uint64_t received) const override { return received; }

 private:
  std::uint64_t key_;
};

// Lines and their answers are made as far as somebody looks.
class LinesScript final : public Script {
 public:
  explicit LinesScript(std::uint64_t key) : random_(key) {
    heard_ = Lines::greeting;
    answers_.push_back({0, heard_.size()});
    const unsigned dice = random_.below(100);
    ending_ = dice < 35 ? Ending::bye : dice < 50 ? Ending::too_long : Ending::none;
    lines_left_ = random_.between(0, random_.chance(500) ? 5 : 60);
    if (ending_ == Ending::none) return;
    while (!ended_) add_line();  // a script that ends is known to its end
  }

  void say(std::uint64_t position, std::span<std::byte> into) const override {
    while (said_.size() < position + into.size()) add_line();
    for (std::byte& byte : into) byte = static_cast<std::byte>(said_[position++]);
  }
  std::size_t agrees(std::uint64_t position, std::span<const std::byte> heard) const override {
    while (heard_.size() < position + heard.size() && !ended_) add_line();
    std::size_t count = 0;
    while (count < heard.size() && position + count < heard_.size() &&
           heard[count] == static_cast<std::byte>(heard_[position + count])) {
      ++count;
    }
    return count;
  }
  std::uint64_t due(std::uint64_t received) const override {
    while (said_.size() <= received && !ended_) add_line();
    const auto after =
        std::upper_bound(answers_.begin(), answers_.end(), received,
                         [](std::uint64_t bytes, const Answer& one) { return bytes < one.said; });
    return std::prev(after)->heard;
  }
  std::uint64_t ends_after() const override { return ended_ ? end_ : endless; }
  std::uint64_t says() const override { return ended_ ? said_.size() : endless; }

 private:
  enum class Ending : std::uint8_t { none, bye, too_long };
  /// So many bytes of the answer are due after so many of the client's.
  struct Answer {
    std::uint64_t said;
    std::uint64_t heard;
  };

  void add_line() const {
    if (ending_ != Ending::none && lines_left_ == 0) return add_end();
    --lines_left_;
    const auto files = fake_files();
    const unsigned dice = random_.below(100);
    if (dice < 8) {
      const FakeFile& file = files[random_.below(files.size())];
      said_ += fmt::format("read {}\n", file.name);
      heard_ += fmt::format("{}: {} bytes of {}\n", ++number_, file.size, file.name);
      for (std::uint64_t at = 0; at < file.size; ++at) {
        heard_ += static_cast<char>(file_byte(file.fd, at));
      }
    } else if (dice < 12) {
      said_ += "read nothing\n";
      heard_ += fmt::format("{}: no such file\n", ++number_);
    } else {
      const std::string line = words(random_.below(dice < 20 ? Lines::line_max + 1 : 40));
      said_ += line + '\n';
      heard_ += fmt::format("{}: {}\n", ++number_, line);
    }
    answers_.push_back({said_.size(), heard_.size()});
  }

  void add_end() const {
    if (ending_ == Ending::bye) {
      said_ += "bye\n";
      heard_ += fmt::format("{}: bye\n", ++number_);
      end_ = said_.size();
    } else {
      end_ = said_.size() + Lines::line_max + 1;
      said_ += words(Lines::line_max + 1 + random_.below(3000));
      heard_ += fmt::format("{}: too long\n", ++number_);
    }
    answers_.push_back({end_, heard_.size()});
    ended_ = true;
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
  mutable bool ended_ = false;
  mutable std::uint64_t end_ = 0;
  mutable std::string said_;
  mutable std::string heard_;
  mutable std::vector<Answer> answers_;
};

}  // namespace

std::shared_ptr<const Script> make_script(Subject subject, std::uint64_t key) {
  if (subject == Subject::echo) return std::make_shared<EchoScript>(key);
  return std::make_shared<LinesScript>(key);
}

std::span<const FakeFile> fake_files() {
  static constexpr std::array files{FakeFile{"empty", 1'000'000, 0},
                                    FakeFile{"small", 1'000'001, 700},
                                    FakeFile{"large", 1'000'002, 20'000}};
  return files;
}

unsigned char file_byte(int fd, std::uint64_t offset) {
  return content(static_cast<std::uint64_t>(fd) << 32, offset);
}

}  // namespace lab::fake
