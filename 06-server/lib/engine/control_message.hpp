// The supervisor's words to a worker: one byte each, over a socketpair. Its end means drain.
#pragma once

#include <sys/socket.h>

#include <cstring>

#include "02-files/lib/fd.hpp"

namespace lab {

inline constexpr char command_drain = 'd';  ///< end in order
inline constexpr char command_stop = 's';   ///< end at once
/// A descriptor comes with it, for the protocol's side; what it holds, that side knows by the kind.
inline constexpr char command_parcel = '0';
inline constexpr unsigned parcel_kinds = 10;  ///< a kind is a number below

/// What one recvmsg(2) with MSG_CMSG_CLOEXEC brings. Lifetime: it stays where it is until then.
/// Source: unix(7), SCM_RIGHTS.
class ControlMessage {
 public:
  /// The place for the next one.
  msghdr* prepare() noexcept {
    message_ = {};
    message_.msg_iov = &byte_;
    message_.msg_iovlen = 1;
    message_.msg_control = space_;
    message_.msg_controllen = sizeof space_;
    return &message_;
  }

  char command() const noexcept { return command_; }  ///< REQUIRES: one byte came
  /// A descriptor came with it.
  bool is_parcel() const noexcept {
    return command_ >= command_parcel && parcel_kind() < parcel_kinds;
  }
  /// REQUIRES: is_parcel().
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
