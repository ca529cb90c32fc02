// An ordinary file descriptor that closes itself.
//   const Fd file(check_errno(open(path, O_RDONLY | O_CLOEXEC), path));
#pragma once

#include <unistd.h>

#include <utility>

namespace lab {

/// Owns a file descriptor, or none. Moving it moves the ownership.
class Fd {
 public:
  Fd() noexcept = default;
  explicit Fd(int fd) noexcept : fd_(fd) {}
  ~Fd() { reset(); }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;

  /// The descriptor, or -1. It stays this object's.
  int get() const noexcept { return fd_; }
  /// True when there is a descriptor.
  explicit operator bool() const noexcept { return fd_ >= 0; }
  /// Hands the descriptor over: whoever gets it closes it. Afterwards there is none here.
  int release() noexcept { return std::exchange(fd_, -1); }
  /// Closes the descriptor, if there is one. An error of close(2) is not told.
  void reset() noexcept {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
};

}  // namespace lab
