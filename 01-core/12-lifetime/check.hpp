// Judges the exercise of 01-core/12-lifetime: eight letters come through eight pipes, and there are
// two buffers to read them with. Nobody edits this file.
#pragma once

#include <liburing.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>
#include <thread>

#include "01-core/lesson.hpp"

namespace check {

inline constexpr std::size_t letters_count = 8;
inline constexpr std::size_t buffers_count = 2;
inline constexpr unsigned buffer_size = 32;

struct Letter {
  int fd = -1;       // read from here, to its end
  std::string text;  // append here what was read
  int error = 0;     // or note here the errno that ended it
};

struct Buffer {
  std::array<char, buffer_size> bytes;
  Letter* letter = nullptr;  // yours: whom the buffer is lent for
};

using Letters = std::array<Letter, letters_count>;
using Buffers = std::array<Buffer, buffers_count>;
using ReadLetters = void (*)(io_uring& ring, Letters& letters, Buffers& buffers);

inline constexpr std::size_t unreadable = 3;  // its descriptor cannot be read from

inline char ink(std::size_t index) { return static_cast<char>('a' + index); }

// Letter 0 is aaa..., letter 1 bbb...: a byte says where it belongs. All but one are longer than a
// buffer.
inline std::string written(std::size_t index) {
  return index == unreadable ? "" : std::string(buffer_size * index + 2 * buffer_size, ink(index));
}

inline void put(int fd, const std::string& text) {
  lab::need_errno(static_cast<int>(write(fd, text.data(), text.size())), "write");
}

/// Puts all letters into their pipes, but for the second half of letter 0: that is written when the
/// last letter has been read. Until then a read of letter 0 waits.
inline void post(Letters& letters) {
  int late = -1;
  for (std::size_t index = 0; index < letters_count; ++index) {
    int ends[2];
    lab::need_errno(pipe(ends), "pipe");
    letters[index].fd = ends[index == unreadable ? 1 : 0];
    if (index == unreadable) continue;
    put(ends[1], index == 0 ? written(0).substr(0, buffer_size) : written(index));
    if (index == 0) {
      late = ends[1];
    } else {
      close(ends[1]);
    }
  }
  // Nobody waits for it: letter 0 is complete only when it is over.
  std::thread([late, last = letters.back().fd] {
    for (int left = 1; left > 0; usleep(1000)) {
      lab::need_errno(ioctl(last, FIONREAD, &left), "FIONREAD");
    }
    put(late, written(0).substr(buffer_size));
    close(late);
  }).detach();
}

inline void compare(std::size_t index, const Letter& letter) {
  const std::string name = "letter " + std::to_string(index);
  const std::size_t foreign = letter.text.find_first_not_of(ink(index));
  if (foreign != std::string::npos) {
    lab::fail(name + " has bytes of letter " + std::to_string(letter.text[foreign] - ink(0)),
              "a buffer serves one letter at a time, until its CQE, and that CQE says which "
              "(YOUR TURN 1, YOUR TURN 2)");
  }
  if (index == unreadable) {
    if (letter.error == EBADF) return;
    lab::fail(name + " cannot be read (EBADF), but its error is " + std::to_string(letter.error),
              "res is -errno (YOUR TURN 3)");
  }
  if (letter.error != 0) {
    lab::fail(name + " has error " + std::to_string(letter.error) + ", but nothing went wrong",
              "an end of file is res 0, and no error (YOUR TURN 3)");
  }
  if (letter.text.size() != written(index).size()) {
    lab::fail(name + " has " + std::to_string(letter.text.size()) + " bytes, " +
                  std::to_string(written(index).size()) + " were written",
              "one read may bring a part; a letter ends at res 0 (YOUR TURN 3)");
  }
}

inline int judge(int argc, char** argv, ReadLetters read_letters) {
  lab::Lesson lesson(argc, argv);
  std::printf("8 letters, 2 buffers; letter 0's second half comes when letter 7 was read\n");
  io_uring ring;
  lab::need(io_uring_queue_init(letters_count, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  Letters letters;
  Buffers buffers{};
  post(letters);
  read_letters(ring, letters, buffers);
  for (std::size_t index = 0; index < letters_count; ++index) compare(index, letters[index]);
  io_uring_queue_exit(&ring);
  std::printf("every letter has its own bytes, all of them\n");
  return lab::ok();
}

}  // namespace check
