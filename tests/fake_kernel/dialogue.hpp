// A script of questions and answers, made as far as somebody looks.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/fake_kernel/script.hpp"

namespace lab::fake {

class Dialogue : public Script {
 public:
  void say(std::uint64_t position, std::span<std::byte> into) const override {
    reach([&] { return said_.size() >= position + into.size(); });
    for (std::byte& byte : into) byte = static_cast<std::byte>(said_[position++]);
  }
  std::size_t agrees(std::uint64_t position, std::span<const std::byte> heard) const override {
    reach([&] { return heard_.size() >= position + heard.size(); });
    std::size_t count = 0;
    while (count < heard.size() && position + count < heard_.size() &&
           heard[count] == static_cast<std::byte>(heard_[position + count])) {
      ++count;
    }
    return count;
  }
  std::uint64_t due(std::uint64_t received) const override {
    reach([&] { return said_.size() > received; });
    const auto after =
        std::upper_bound(answers_.begin(), answers_.end(), received,
                         [](std::uint64_t bytes, const Answer& one) { return bytes < one.said; });
    return std::prev(after)->heard;
  }
  std::uint64_t ends_after() const override { return ended_ ? end_ : endless; }
  std::uint64_t says() const override { return ended_ ? said_.size() : endless; }

 protected:
  /// What is heard before a word is said.
  explicit Dialogue(std::string greeting) : heard_(std::move(greeting)) {
    answers_.push_back({0, heard_.size()});
  }

  /// Adds what is said next, and its answer: ask() once, or end().
  virtual void go_on() const = 0;

  /// The answer is due when the whole question has come.
  void ask(std::string_view question, std::string_view answer) const {
    said_ += question;
    heard_ += answer;
    answers_.push_back({said_.size(), heard_.size()});
  }
  /// The same, and then the server ends. What is said behind it is not looked at.
  /// @param due_after bytes of the question after which the answer is due
  void end(std::string_view question, std::uint64_t due_after, std::string_view answer) const {
    end_ = said_.size() + due_after;
    said_ += question;
    heard_ += answer;
    answers_.push_back({end_, heard_.size()});
    ended_ = true;
  }
  /// A script that ends is known to its end from the beginning.
  void reach_the_end() const {
    reach([] { return false; });
  }

 private:
  /// So many bytes of the answer are due after so many of the client's.
  struct Answer {
    std::uint64_t said;
    std::uint64_t heard;
  };

  template <class Enough>
  void reach(Enough enough) const {
    while (!ended_ && !enough()) go_on();
  }

  mutable bool ended_ = false;
  mutable std::uint64_t end_ = 0;
  mutable std::string said_;
  mutable std::string heard_;
  mutable std::vector<Answer> answers_;
};

}  // namespace lab::fake
