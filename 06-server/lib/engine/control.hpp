// The supervisor's words to a worker: one byte each, over a socketpair. Its end means drain.
#pragma once

#include <sys/socket.h>

#include <cstring>

#include "01-core/lib/ring.hpp"
#include "02-files/lib/fd.hpp"

namespace lab {

inline constexpr char command_drain = 'd';
inline constexpr char command_stop = 's';
/// A descriptor comes with it, for the protocol's side; what it holds, that side knows by the kind.
inline constexpr char command_parcel = '0';
inline constexpr unsigned parcel_kinds = 10;

/// res: 1, 0 at the end, or -errno. Source: unix(7), SCM_RIGHTS.
class ReadControl : public Completion {
 public:
  using Completion::Completion;

  void start(Ring& ring, int fd) noexcept {
    message_ = {};
    message_.msg_iov = &byte_;
    message_.msg_iovlen = 1;
    message_.msg_control = space_;
    message_.msg_controllen = sizeof space_;
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_recvmsg(sqe, fd, &message_, MSG_CMSG_CLOEXEC);
    ring.arm(sqe, *this);
  }

  char command() const noexcept { return command_; }
  bool is_parcel() const noexcept {
    return command_ >= command_parcel && parcel_kind() < parcel_kinds;
  }
  unsigned parcel_kind() const noexcept { return static_cast<unsigned>(command_ - command_parcel); }

  /// What came with the command. Once.
  Fd take_descriptor() noexcept {
    const cmsghdr* header = CMSG_FIRSTHDR(&message_);
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return {};
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    message_.msg_controllen = 0;
    return Fd(fd);
  }

 private:
  char command_ = 0;
  iovec byte_{&command_, 1};
  msghdr message_{};
  alignas(cmsghdr) char space_[CMSG_SPACE(sizeof(int))] = {};
};

}  // namespace lab
