// The supervisor's words to a worker: one byte each, over a socketpair. Its end means drain.
#pragma once

#include "01-core/lib/ring.hpp"

namespace lab {

inline constexpr char command_drain = 'd';
inline constexpr char command_stop = 's';

class ReadControl : public Completion {
 public:
  using Completion::Completion;

  void start(Ring& ring, int fd) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_recv(sqe, fd, &command_, 1, 0);
    ring.arm(sqe, *this);
  }

  char command() const noexcept { return command_; }

 private:
  char command_ = 0;
};

}  // namespace lab
