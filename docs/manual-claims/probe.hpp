// What the checks share: a ring that goes away, answers with a deadline, pairs of descriptors. No
// operation is wrapped: each check prepares its SQEs with liburing.
#pragma once

#include <fcntl.h>
#include <liburing.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "docs/manual-claims/claim.hpp"

namespace claims {

struct Answer {
  std::uint64_t user_data;
  int res;
  unsigned flags;
};

/// The name of a result: "0", "7" or "-ECANCELED".
inline std::string name(int res) {
  if (res >= 0) return std::to_string(res);
  const char* error = strerrorname_np(-res);
  return error != nullptr ? std::string("-") + error : std::to_string(res);
}

/// "1: 0, 2: -ECANCELED": the answers by user_data, in their order.
inline std::string words(const std::vector<Answer>& answers) {
  std::string text;
  for (const Answer& answer : answers) {
    text += (text.empty() ? "" : ", ") + std::to_string(answer.user_data) + ": " + name(answer.res);
    if ((answer.flags & IORING_CQE_F_MORE) != 0) text += " (more)";
  }
  return text.empty() ? "no CQE" : text;
}

/// A ring for one check.
class Probe {
 public:
  explicit Probe(unsigned flags = 0, unsigned entries = 8, unsigned cq_entries = 0) {
    params_.flags = flags;
    params_.cq_entries = cq_entries;
    if (cq_entries != 0) params_.flags |= IORING_SETUP_CQSIZE;
    made_ = io_uring_queue_init_params(entries, &ring_, &params_);
  }
  explicit Probe(io_uring_params params, unsigned entries = 8) : params_(params) {
    made_ = io_uring_queue_init_params(entries, &ring_, &params_);
  }
  ~Probe() {
    if (made_ == 0) io_uring_queue_exit(&ring_);
  }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  /// 0, or what set-up answered (-errno).
  int made() const { return made_; }
  const io_uring_params& params() const { return params_; }
  io_uring* ring() { return &ring_; }
  int fd() const { return ring_.ring_fd; }

  /// An SQE that is to be prepared; finish() gives it its user_data.
  io_uring_sqe* sqe() { return io_uring_get_sqe(&ring_); }
  static void finish(io_uring_sqe* sqe, std::uint64_t user_data, unsigned flags = 0) {
    io_uring_sqe_set_data64(sqe, user_data);
    sqe->flags |= static_cast<std::uint8_t>(flags);
  }
  void nop(std::uint64_t user_data, unsigned flags = 0) {
    io_uring_sqe* one = sqe();
    io_uring_prep_nop(one);
    finish(one, user_data, flags);
  }
  int submit() { return io_uring_submit(&ring_); }

  /// Up to `count` answers, those that come within `ms` milliseconds.
  std::vector<Answer> answers(unsigned count, int ms = 3000) {
    std::vector<Answer> all;
    while (all.size() < count) {
      io_uring_cqe* cqe = nullptr;
      __kernel_timespec limit{.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1'000'000LL};
      const int res = io_uring_wait_cqe_timeout(&ring_, &cqe, &limit);
      if (res == -EINTR) continue;
      if (res != 0) break;
      all.push_back({.user_data = cqe->user_data, .res = cqe->res, .flags = cqe->flags});
      io_uring_cqe_seen(&ring_, cqe);
    }
    return all;
  }
  std::vector<Answer> submit_and_answers(unsigned count, int ms = 3000) {
    submit();
    return answers(count, ms);
  }
  /// The result of the only prepared request.
  int one_result() {
    const std::vector<Answer> all = submit_and_answers(1);
    return all.empty() ? -EAGAIN : all[0].res;
  }

 private:
  io_uring_params params_{};
  io_uring ring_{};
  int made_ = -1;
};

/// Two connected descriptors.
class Ends {
 public:
  enum class Kind { pipe, sockets };
  explicit Ends(Kind kind) {
    if (kind == Kind::pipe) made_ = pipe2(ends_.data(), O_CLOEXEC) == 0;
    if (kind == Kind::sockets) {
      made_ = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_.data()) == 0;
    }
  }
  ~Ends() {
    close_read();
    if (ends_[1] >= 0) close(ends_[1]);
  }
  Ends(const Ends&) = delete;
  Ends& operator=(const Ends&) = delete;

  int read_end() const { return ends_[0]; }
  int write_end() const { return ends_[1]; }
  void write(const char* text) const {
    [[maybe_unused]] const ssize_t written = ::write(ends_[1], text, std::strlen(text));
  }
  void close_read() {
    if (ends_[0] >= 0) close(ends_[0]);
    ends_[0] = -1;
  }

 private:
  std::array<int, 2> ends_{-1, -1};
  bool made_ = false;
};

/// The usual outcome: one result, compared with the one that the manual names.
inline Outcome expect(int res, int wanted) { return {.holds = res == wanted, .seen = name(res)}; }

/// The result of the answer with this user_data; -EAGAIN when it did not come.
inline int result_of(const std::vector<Answer>& all, std::uint64_t user_data) {
  for (const Answer& answer : all) {
    if (answer.user_data == user_data) return answer.res;
  }
  return -EAGAIN;
}

/// Whether set-up takes these flags.
inline bool takes(unsigned flags) { return Probe(flags).made() == 0; }

/// Whether the kernel knows the operation.
inline bool knows(int opcode) {
  io_uring_probe* probe = io_uring_get_probe();
  const bool known = probe != nullptr && io_uring_opcode_supported(probe, opcode) != 0;
  io_uring_free_probe(probe);
  return known;
}

inline __kernel_timespec milliseconds(int ms) {
  return {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1'000'000LL};
}

}  // namespace claims
