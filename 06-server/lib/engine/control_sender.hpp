// The other side of a control socket: words to a worker that does not wait for who says them.
#pragma once

#include <sys/socket.h>

#include <cstring>

#include "02-files/lib/fd.hpp"

namespace lab {

/// Sends one command, with a descriptor where there is one; it stays the caller's. Does not wait.
/// @return false when nobody reads: it is gone, or it has read nothing for a long time
/// Source: unix(7), SCM_RIGHTS.
inline bool send_control(int fd, char command, const Fd& parcel = {}) noexcept {
  iovec byte{&command, 1};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &byte;
  message.msg_iovlen = 1;
  if (parcel) {
    message.msg_control = space;
    message.msg_controllen = sizeof space;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int descriptor = parcel.get();
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  }
  return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

}  // namespace lab
