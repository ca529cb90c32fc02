// What the tests of coroutines share: a pool that is large enough for frames without optimization.
#pragma once

#include <array>
#include <vector>

#include "02-files/lib/read.hpp"
#include "04-advanced/lib/await.hpp"
#include "04-advanced/lib/task.hpp"
#include "tests/unit/02-files/file_support.hpp"
#include "tests/unit/support.hpp"

namespace lab {

struct Frames {
  static constexpr std::size_t frame_bytes = 4096;
  explicit Frames(std::size_t count = 8)
      : memory(FramePool::bytes_for(count, frame_bytes)), pool(memory, frame_bytes) {}

  std::vector<std::byte> memory;
  FramePool pool;
};

/// Says when the frame that it lies in is destroyed.
struct Witness {
  explicit Witness(bool& gone) noexcept : gone_(gone) { gone_ = false; }
  ~Witness() { gone_ = true; }
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;

 private:
  bool& gone_;
};

}  // namespace lab
