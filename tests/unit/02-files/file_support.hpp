// A file that has no name, so nothing is left when a test ends; a pipe that is written by hand.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "01-core/lib/check.hpp"
#include "02-files/lib/fd.hpp"

namespace lab {

/// For read(2), write(2) and their kind.
inline std::size_t check_size(ssize_t size, const char* what) {
  return static_cast<std::size_t>(check_errno(static_cast<int>(size), what));
}

inline Fd file_with(std::string_view text) {
  Fd file(check_errno(memfd_create("test", MFD_CLOEXEC), "memfd_create"));
  check_size(pwrite(file.get(), text.data(), text.size(), 0), "pwrite");
  return file;
}

inline std::string text_of(const Fd& file) {
  std::string text(1 << 16, '\0');
  text.resize(check_size(pread(file.get(), text.data(), text.size(), 0), "pread"));
  return text;
}

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

struct Pipe {
  Pipe() {
    int ends[2];
    check_errno(pipe2(ends, O_CLOEXEC), "pipe2");
    read_end = Fd(ends[0]);
    write_end = Fd(ends[1]);
  }
  void write(std::string_view text) const {
    check_size(::write(write_end.get(), text.data(), text.size()), "write");
  }

  Fd read_end;
  Fd write_end;
};

}  // namespace lab
