// What the tests of coroutines share: a pool that is large enough for frames without optimization,
// and a pipe whose other end is written by hand.
#pragma once

#include <fcntl.h>

#include <array>
#include <string_view>

#include "02-files/lib/fd.hpp"
#include "02-files/lib/read.hpp"
#include "04-advanced/lib/await.hpp"
#include "04-advanced/lib/task.hpp"
#include "tests/unit/support.hpp"

namespace lab {

struct Frames {
  static constexpr std::size_t frame_bytes = 4096;
  explicit Frames(std::size_t count = 8)
      : memory(FramePool::bytes_for(count, frame_bytes)), pool(memory, frame_bytes) {}

  std::vector<std::byte> memory;
  FramePool pool;
};

struct Pipe {
  Pipe() {
    int ends[2];
    check_errno(::pipe2(ends, O_CLOEXEC), "pipe2");
    read_end = Fd(ends[0]);
    write_end = Fd(ends[1]);
  }
  void write(std::string_view text) const {
    check_errno(static_cast<int>(::write(write_end.get(), text.data(), text.size())), "write");
  }

  Fd read_end;
  Fd write_end;
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
