// Feeds a cat from pipes and files and compares what comes out. Nobody edits this file.
#pragma once

#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <thread>

#include "01-core/lesson.hpp"

namespace exercise {

/// Copies all of `from` to `to`.
using Cat = void (*)(io_uring& ring, int from, int to);

class Judge {
 public:
  Judge(io_uring& ring, Cat cat) : ring_(ring), cat_(cat) {}

  int run() {
    compare("an empty file", from_file(""), "");
    compare("a short file", from_file("hello\n"), "hello\n");
    const std::string digits = long_text();
    compare("a file of 100,000 bytes", from_file(digits), digits);
    compare("a pipe, fed 3 bytes at a time", from_pipe("hello, pipe\n"), "hello, pipe\n");
    return lab::ok();
  }

 private:
  static std::string long_text() {
    std::string text;
    for (int number = 0; text.size() < 100'000; ++number) text += std::to_string(number) + "\n";
    text.resize(100'000);
    return text;
  }

  std::string from_file(const std::string& text) {
    const int file = make_file("/from", text);
    std::string out = run_cat(file);
    close(file);
    return out;
  }

  // The next piece is written when the pipe is empty again, so each read finds 3 bytes at most.
  std::string from_pipe(const std::string& text) {
    int ends[2];
    lab::need_errno(pipe2(ends, O_CLOEXEC), "pipe2");
    std::thread feeder([&ends, &text] {
      for (std::size_t at = 0; at < text.size(); at += 3) {
        const std::string piece = text.substr(at, 3);
        if (write(ends[1], piece.data(), piece.size()) < 0) break;
        usleep(2000);
      }
      close(ends[1]);
    });
    std::string out = run_cat(ends[0]);
    feeder.join();
    close(ends[0]);
    return out;
  }

  std::string run_cat(int from) {
    const int to = make_file("/to", "");
    cat_(ring_, from, to);
    std::string out(200'000, '\0');
    const ssize_t size = pread(to, out.data(), out.size(), 0);
    out.resize(static_cast<std::size_t>(lab::need_errno(static_cast<int>(size), "pread")));
    close(to);
    return out;
  }

  static int make_file(const char* name, const std::string& text) {
    const std::string path = lab::temporary_folder() + name;
    const int fd =
        lab::need_errno(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), "open");
    lab::need_errno(static_cast<int>(write(fd, text.data(), text.size())), "write");
    lseek(fd, 0, SEEK_SET);
    return fd;
  }

  static void compare(const char* name, const std::string& got, const std::string& wanted) {
    std::size_t same = 0;
    while (same < got.size() && same < wanted.size() && got[same] == wanted[same]) ++same;
    if (got == wanted) {
      std::printf("%s: right\n", name);
    } else if (got.size() < wanted.size() && same == got.size()) {
      lab::fail(std::string(name) + ": " + std::to_string(got.size()) + " of " +
                    std::to_string(wanted.size()) + " bytes came out",
                "a read that brings less than you asked for is not the end");
    } else {
      lab::fail(std::string(name) + ": wrong from byte " + std::to_string(same) + " on",
                "write as many bytes as were read, from the right place");
    }
  }

  io_uring& ring_;
  Cat cat_;
};

}  // namespace exercise
