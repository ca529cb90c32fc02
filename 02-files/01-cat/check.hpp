// Feeds a cat from pipes and files and compares what comes out. Nobody edits this file.
#pragma once

#include <fcntl.h>
#include <liburing.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
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
    to_slow_socket(long_text().substr(0, 30'000));
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
    std::atomic<bool> returned = false;  // a cat that stops too early leaves the pipe full
    std::thread feeder([&ends, &text, &returned] {
      for (std::size_t at = 0; at < text.size() && !returned; at += 3) {
        const std::string piece = text.substr(at, 3);
        if (write(ends[1], piece.data(), piece.size()) < 0) break;
        for (int unread = 1; unread > 0 && !returned; usleep(500)) {
          if (ioctl(ends[0], FIONREAD, &unread) < 0) break;
        }
      }
      close(ends[1]);
    });
    std::string out = run_cat(ends[0]);
    returned = true;
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

  // A socket with little room takes a part of a write. The byte in front is the judge's own: with
  // it in the way the first 4096 bytes find no room, so the reader leaves it there until then.
  void to_slow_socket(const std::string& text) {
    int ends[2];
    lab::need_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), "socketpair");
    const int size = 1;  // the kernel's least is a few thousand
    lab::need_errno(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), "SO_SNDBUF");
    lab::need_errno(static_cast<int>(write(ends[1], "x", 1)), "write");
    std::string out;
    std::atomic<bool> returned = false;
    std::thread reader([fd = ends[0], &out, &returned] {
      for (int unread = 0; unread < 2 && !returned; usleep(500)) ioctl(fd, FIONREAD, &unread);
      char piece[1000];
      for (;; usleep(1000)) {
        const ssize_t got = read(fd, piece, sizeof piece);
        if (got <= 0) return;
        out.append(piece, static_cast<std::size_t>(got));
      }
    });
    const int file = make_file("/from", text);
    cat_(ring_, file, ends[1]);
    returned = true;
    close(file);
    close(ends[1]);
    reader.join();
    close(ends[0]);
    if (out != "x" + text)
      lab::fail("a socket that takes little at a time: of " + std::to_string(text.size()) +
                    " bytes " + std::to_string(out.size() - 1) + " came out, or wrong ones",
                "a write may take less than it is offered: write the rest, from the right place");
    std::printf("a socket that takes little at a time: right\n");
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
