// An echo's oracle: what was said is heard.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tests/fake_kernel/random.hpp"
#include "tests/fake_kernel/script.hpp"

namespace lab::fake {

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

}  // namespace lab::fake
