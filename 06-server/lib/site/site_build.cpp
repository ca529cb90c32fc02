#include "06-server/lib/site/site_build.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>

#include "01-core/lib/assert.hpp"
#include "01-core/lib/check.hpp"
#include "06-server/lib/os/child.hpp"
#include "06-server/lib/site/site_builder.hpp"
#include "06-server/lib/site/site_error.hpp"
#include "06-server/lib/site/site_parcel.hpp"

namespace lab {

namespace {

constexpr std::size_t text_max = 4096;

// One message: a parcel beside a full stop, or why there is none. Nothing else is written to its
// socket, so a stream keeps it in one piece.
struct Outcome {
  std::array<char, text_max> text{};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  iovec data{.iov_base = text.data(), .iov_len = text.size()};
  msghdr message{};

  Outcome() {
    message.msg_iov = &data;
    message.msg_iovlen = 1;
  }
  void take_text(std::string_view words) {
    data.iov_len = std::min(words.size(), text.size());
    std::memcpy(text.data(), words.data(), data.iov_len);
  }
  void take_fd(int fd) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
};

[[noreturn]] void build_and_exit(int socket, pid_t parent, const SiteOptions& options,
                                 const SiteReporter& reporter, const Generation* before) {
  signal_at_parent_death(SIGKILL);
  if (getppid() != parent) _exit(1);  // it died before the line above
  // Nothing of the server's is to stay open because a build takes long.
  const auto kept = static_cast<unsigned>(socket);
  if (kept > 3) close_descriptors(3, kept - 1);
  close_descriptors(kept + 1, ~0U);
  Outcome outcome;
  Fd parcel;
  try {
    parcel = pack_site(build_site(options, reporter, before));
    outcome.take_text(".");
    outcome.take_fd(parcel.get());
  } catch (const std::bad_alloc&) {
    outcome.take_text("no memory for building the site. Cure: fewer threads, or more memory");
  } catch (const std::exception& error) {
    outcome.take_text(error.what());
  }
  sendmsg(socket, &outcome.message, MSG_NOSIGNAL);
  _exit(0);  // destructors and what stdio holds belong to the parent's copy of all this
}

}  // namespace

SiteBuild::SiteBuild(const SiteOptions& options, const SiteReporter& reporter,
                     const Generation* before) {
  int pair[2];
  check_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
  outcome_ = Fd(pair[0]);
  Fd theirs(pair[1]);
  const pid_t parent = getpid();
  pid_ = check_errno(fork(), "fork");
  if (pid_ == 0) build_and_exit(theirs.release(), parent, options, reporter, before);
}

SiteBuild::~SiteBuild() {
  if (pid_ == -1) return;
  kill(pid_, SIGKILL);
  wait();
}

SiteFiles SiteBuild::finish() {
  LAB_ASSERT(pid_ != -1);
  Outcome outcome;
  outcome.message.msg_control = outcome.control.data();
  outcome.message.msg_controllen = outcome.control.size();
  ssize_t size = -1;
  do {
    size = recvmsg(outcome_.get(), &outcome.message, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  const int status = wait();
  if (size <= 0) {
    const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    throw SiteError(fmt::format(
        "the process that built the site {}{}",
        WIFSIGNALED(status) ? fmt::format("was ended by signal {} ({})", WTERMSIG(status),
                                          strsignal(WTERMSIG(status)))
                            : fmt::format("exited with code {}", WEXITSTATUS(status)),
        killed ? ", by hand or by the kernel because memory ran out (dmesg says which)" : ""));
  }
  const cmsghdr* header = CMSG_FIRSTHDR(&outcome.message);
  if (header == nullptr) {
    if ((outcome.message.msg_flags & MSG_CTRUNC) != 0) {
      throw SiteError("no more descriptors here for the new site. Cure: raise ulimit -n");
    }
    throw SiteError(std::string(outcome.text.data(), static_cast<std::size_t>(size)));
  }
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return unpack_site(Fd(fd));
}

int SiteBuild::wait() noexcept {
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return status;
}

}  // namespace lab
