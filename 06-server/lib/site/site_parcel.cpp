#include "06-server/lib/site/site_parcel.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "01-core/lib/check.hpp"
#include "06-server/lib/site/site_error.hpp"

namespace lab {

namespace {

constexpr std::size_t descriptors_each = 253;  // SCM_MAX_FD, include/net/scm.h

// One message; its descriptors are beside it.
struct Piece {
  std::uint64_t magic = site_magic;
  std::uint64_t descriptors_left = 0;  // after this one
};

struct Control {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(descriptors_each * sizeof(int))> room{};
};

[[noreturn]] void refuse_sending(int error) {
  if (error == ETOOMANYREFS) {
    throw SiteError(
        "the site has more streamed files than may be on their way between processes. Cure: raise "
        "ulimit -n, or a larger --memory-limit-file");
  }
  throw SiteError(
      fmt::format("the site's streamed files cannot be passed to a worker: {}. Cure: a larger "
                  "--memory-limit-file, so that fewer files are streamed",
                  std::strerror(error)));
}

void send_piece(int socket, std::span<const int> descriptors, std::uint64_t left) {
  Piece piece{.descriptors_left = left};
  iovec data{.iov_base = &piece, .iov_len = sizeof piece};
  Control control;
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.room.data();
  message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
  std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
  if (sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) refuse_sending(errno);
}

/// @return how many are still to come
std::uint64_t receive_piece(int socket, std::vector<Fd>& descriptors) {
  Piece piece{.magic = 0};
  iovec data{.iov_base = &piece, .iov_len = sizeof piece};
  Control control;
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.room.data();
  message.msg_controllen = control.room.size();
  const ssize_t size = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t index = 0; index < count; ++index) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + index * sizeof fd, sizeof fd);
      descriptors.emplace_back(fd);
    }
  }
  if (size != static_cast<ssize_t>(sizeof piece) || piece.magic != site_magic) {
    throw SiteError("this descriptor is no parcel with a site");
  }
  if ((message.msg_flags & MSG_CTRUNC) != 0) {
    throw SiteError(
        "this process may not have as many descriptors as the site has streamed files. Cure: raise "
        "ulimit -n, or a larger --memory-limit-file");
  }
  return piece.descriptors_left;
}

}  // namespace

Fd pack_site(const SiteFiles& files) {
  std::vector<int> descriptors{files.memory.get()};
  for (const Fd& fd : files.streamed) descriptors.push_back(fd.get());
  int pair[2];
  check_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
  Fd parcel(pair[0]);
  const Fd sender(pair[1]);
  std::span<const int> left(descriptors);
  while (!left.empty()) {
    const std::size_t count = std::min(left.size(), descriptors_each);
    send_piece(sender.get(), left.first(count), left.size() - count);
    left = left.subspan(count);
  }
  return parcel;
}

SiteFiles unpack_site(const Fd& parcel) {
  std::vector<Fd> descriptors;
  while (receive_piece(parcel.get(), descriptors) != 0) {
  }
  if (descriptors.empty()) throw SiteError("this descriptor is no parcel with a site");
  SiteFiles files{.memory = std::move(descriptors.front())};
  descriptors.erase(descriptors.begin());
  files.streamed = std::move(descriptors);
  return files;
}

}  // namespace lab
