// Claims about network operations, multishot, provided buffers and messages between rings.
#include <netinet/in.h>
#include <poll.h>
#include <sys/wait.h>

#include <cstdlib>
#include <memory>

#include "docs/manual-claims/probe.hpp"

namespace claims {

namespace {

/// A TCP connection over loopback, and its listener.
class Tcp {
 public:
  Tcp() : listener_(socket(AF_INET, SOCK_STREAM, 0)), client_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* any = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    if (bind(listener_, any, size) != 0 || listen(listener_, 8) != 0 ||
        getsockname(listener_, any, &size) != 0 || connect(client_, any, size) != 0) {
      std::abort();
    }
  }
  ~Tcp() {
    close(listener_);
    close(client_);
  }
  Tcp(const Tcp&) = delete;
  Tcp& operator=(const Tcp&) = delete;

  int listener() const { return listener_; }
  int client() const { return client_; }

 private:
  int listener_;
  int client_;
};

/// A buffer ring of `count` buffers of 16 bytes in group 1.
class Buffers {
 public:
  Buffers(Probe& probe, unsigned count) : probe_(probe) {
    int error = 0;
    ring_ = io_uring_setup_buf_ring(probe.ring(), size, 1, 0, &error);
    if (ring_ == nullptr) std::abort();
    for (unsigned i = 0; i < count; ++i) {
      io_uring_buf_ring_add(ring_, bytes_.data() + i * 16, 16, static_cast<unsigned short>(i),
                            io_uring_buf_ring_mask(size), static_cast<int>(i));
    }
    io_uring_buf_ring_advance(ring_, static_cast<int>(count));
  }
  ~Buffers() { io_uring_free_buf_ring(probe_.ring(), ring_, size, 1); }
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;

 private:
  static constexpr unsigned size = 8;
  Probe& probe_;
  io_uring_buf_ring* ring_ = nullptr;
  std::array<char, 16 * size> bytes_{};
};

void recv_multishot(Probe& probe, int fd, std::size_t length, int flags) {
  io_uring_sqe* sqe = probe.sqe();
  io_uring_prep_recv_multishot(sqe, fd, nullptr, length, flags);
  sqe->buf_group = 1;
  Probe::finish(sqe, 1, IOSQE_BUFFER_SELECT);
}

Outcome multishot_recv_runs_out() {
  Probe probe;
  const Buffers buffers(probe, 2);
  const Ends ends(Ends::Kind::sockets);
  ends.write("sixteen bytes...sixteen bytes...sixteen bytes...");
  recv_multishot(probe, ends.read_end(), 0, 0);
  const std::vector<Answer> all = probe.submit_and_answers(3);
  const bool holds = all.size() == 3 && (all[1].flags & IORING_CQE_F_MORE) != 0 &&
                     all[2].res == -ENOBUFS && (all[2].flags & IORING_CQE_F_MORE) == 0;
  return {.holds = holds, .seen = words(all)};
}

Outcome one_shot_without_buffers() {
  Probe probe;
  const Buffers buffers(probe, 0);
  const Ends ends(Ends::Kind::sockets);
  io_uring_sqe* sqe = probe.sqe();
  io_uring_prep_recv(sqe, ends.read_end(), nullptr, 16, 0);
  sqe->buf_group = 1;
  Probe::finish(sqe, 1, IOSQE_BUFFER_SELECT);
  ends.write("1");
  return expect(probe.one_result(), -ENOBUFS);
}

// What the manual implies: a buffer is needed when there is data, not before.
Outcome no_buffers_and_no_data() {
  Probe probe;
  const Buffers buffers(probe, 0);
  const Ends ends(Ends::Kind::sockets);
  recv_multishot(probe, ends.read_end(), 0, 0);
  const std::vector<Answer> all = probe.submit_and_answers(1, 100);
  return {.holds = all.empty(), .seen = words(all)};
}

Outcome buffer_id_in_the_flags() {
  Probe probe;
  const Buffers buffers(probe, 2);
  const Ends ends(Ends::Kind::sockets);
  ends.write("1");
  recv_multishot(probe, ends.read_end(), 0, 0);
  const std::vector<Answer> all = probe.submit_and_answers(1);
  const bool holds = all.size() == 1 && (all[0].flags & IORING_CQE_F_BUFFER) != 0 &&
                     all[0].flags >> IORING_CQE_BUFFER_SHIFT == 0;
  return {.holds = holds, .seen = holds ? "F_BUFFER, buffer 0" : words(all)};
}

Outcome multishot_recv_ends_with_the_peer() {
  Probe probe;
  const Buffers buffers(probe, 2);
  const Ends ends(Ends::Kind::sockets);
  recv_multishot(probe, ends.read_end(), 0, 0);
  probe.submit();
  shutdown(ends.write_end(), SHUT_WR);
  const std::vector<Answer> all = probe.answers(1);
  return {.holds = all.size() == 1 && all[0].res == 0 && (all[0].flags & IORING_CQE_F_MORE) == 0,
          .seen = words(all)};
}

Outcome multishot_recv_with_waitall() {
  Probe probe;
  const Buffers buffers(probe, 2);
  const Ends ends(Ends::Kind::sockets);
  recv_multishot(probe, ends.read_end(), 0, MSG_WAITALL);
  return expect(probe.one_result(), -EINVAL);
}

Outcome multishot_recv_needs_select() {
  Probe probe;
  const Ends ends(Ends::Kind::sockets);
  std::array<char, 16> bytes{};
  io_uring_sqe* sqe = probe.sqe();
  io_uring_prep_recv_multishot(sqe, ends.read_end(), bytes.data(), bytes.size(), 0);
  return expect(probe.one_result(), -EINVAL);
}

int register_ring(Probe& probe, unsigned entries, unsigned short group) {
  const std::size_t size = std::size_t{65536} * sizeof(io_uring_buf);
  const std::unique_ptr<void, decltype(&std::free)> memory(std::aligned_alloc(4096, size),
                                                           &std::free);
  io_uring_buf_reg wanted{};
  wanted.ring_addr = reinterpret_cast<std::uint64_t>(memory.get());
  wanted.ring_entries = entries;
  wanted.bgid = group;
  const int res = io_uring_register_buf_ring(probe.ring(), &wanted, 0);
  if (res == 0) io_uring_unregister_buf_ring(probe.ring(), group);
  return res;
}

Outcome buffer_ring_power_of_two() {
  Probe probe;
  return expect(register_ring(probe, 6, 2), -EINVAL);
}

Outcome buffer_ring_too_large() {
  Probe probe;
  const int most = register_ring(probe, 32768, 2);
  const int over = register_ring(probe, 65536, 2);
  return {.holds = most == 0 && over == -EINVAL,
          .seen = "32768: " + name(most) + ", 65536: " + name(over)};
}

Outcome accept_without_slots() {
  Probe probe;
  const Tcp tcp;
  const int file = dup(tcp.listener());
  io_uring_register_files(probe.ring(), &file, 1);
  io_uring_prep_accept_direct(probe.sqe(), tcp.listener(), nullptr, nullptr, 0,
                              IORING_FILE_INDEX_ALLOC);
  const int res = probe.one_result();
  close(file);
  return expect(res, -ENFILE);
}

Outcome accept_into_a_slot() {
  Probe probe;
  const Tcp tcp;
  io_uring_register_files_sparse(probe.ring(), 4);
  io_uring_prep_accept_direct(probe.sqe(), tcp.listener(), nullptr, nullptr, 0, 2);
  return expect(probe.one_result(), 0);
}

Outcome direct_accept_with_cloexec() {
  Probe probe;
  const Tcp tcp;
  io_uring_register_files_sparse(probe.ring(), 4);
  io_uring_prep_accept_direct(probe.sqe(), tcp.listener(), nullptr, nullptr, SOCK_CLOEXEC, 2);
  return expect(probe.one_result(), -EINVAL);
}

Outcome multishot_poll_goes_on() {
  Probe probe;
  const Ends ends(Ends::Kind::sockets);
  io_uring_prep_poll_multishot(probe.sqe(), ends.read_end(), POLLIN);
  probe.submit();
  ends.write("1");
  std::vector<Answer> all = probe.answers(1);
  ends.write("2");
  for (const Answer& one : probe.answers(1)) all.push_back(one);
  return {.holds = all.size() == 2 && (all[1].flags & IORING_CQE_F_MORE) != 0, .seen = words(all)};
}

std::vector<Answer> send_zero_copy(unsigned zc_flags) {
  Probe probe;
  const Tcp tcp;
  static const std::array<char, 64> bytes{};
  io_uring_prep_send_zc(probe.sqe(), tcp.client(), bytes.data(), bytes.size(), 0, zc_flags);
  return probe.submit_and_answers(2);
}

Outcome zero_copy_has_two_cqes() {
  const std::vector<Answer> all = send_zero_copy(0);
  const bool holds = all.size() == 2 && (all[0].flags & IORING_CQE_F_MORE) != 0 &&
                     (all[1].flags & IORING_CQE_F_NOTIF) != 0;
  return {.holds = holds, .seen = words(all)};
}

Outcome zero_copy_reports() {
  const std::vector<Answer> all = send_zero_copy(IORING_SEND_ZC_REPORT_USAGE);
  if (all.size() != 2) return {.holds = false, .seen = words(all)};
  const auto usage = static_cast<unsigned>(all[1].res);
  return {.holds = usage == 0 || usage == IORING_NOTIF_USAGE_ZC_COPIED,
          .seen = usage == 0 ? "0" : "NOTIF_USAGE_ZC_COPIED"};
}

Outcome waitid_multishot() {
  Probe probe;
  siginfo_t info{};
  const pid_t child = fork();
  if (child == 0) _exit(0);
  io_uring_prep_waitid(probe.sqe(), P_ALL, 0, &info, WEXITED | WNOWAIT, IORING_ACCEPT_MULTISHOT);
  const int res = probe.one_result();
  waitpid(child, nullptr, 0);
  return {.holds = res >= 0, .seen = name(res)};
}
bool has_waitid() { return knows(IORING_OP_WAITID); }

Outcome message_arrives() {
  Probe sender;
  Probe receiver;
  io_uring_prep_msg_ring(sender.sqe(), receiver.fd(), 42, 4711, 0);
  sender.submit();
  const std::vector<Answer> all = receiver.answers(1);
  return {.holds = result_of(all, 4711) == 42, .seen = words(all)};
}

Outcome message_to_itself() {
  Probe probe;
  io_uring_sqe* sqe = probe.sqe();
  io_uring_prep_msg_ring(sqe, probe.fd(), 42, 4711, 0);
  Probe::finish(sqe, 1);
  const std::vector<Answer> all = probe.submit_and_answers(2);
  return {.holds = result_of(all, 4711) == 42, .seen = words(all)};
}

Outcome message_to_a_pipe() {
  Probe probe;
  const Ends ends(Ends::Kind::pipe);
  io_uring_prep_msg_ring(probe.sqe(), ends.read_end(), 42, 4711, 0);
  return expect(probe.one_result(), -EBADFD);
}

Outcome message_to_a_disabled_ring() {
  Probe probe;
  Probe disabled(IORING_SETUP_R_DISABLED);
  io_uring_prep_msg_ring(probe.sqe(), disabled.fd(), 42, 4711, 0);
  return expect(probe.one_result(), -EBADFD);
}

Outcome message_sets_flags() {
  Probe sender;
  Probe receiver;
  io_uring_prep_msg_ring_cqe_flags(sender.sqe(), receiver.fd(), 42, 4711, 0, 1U << 20);
  sender.submit();
  const std::vector<Answer> all = receiver.answers(1);
  return {.holds = all.size() == 1 && (all[0].flags & (1U << 20)) != 0, .seen = words(all)};
}
bool has_flags_pass() {
  Probe probe;
  Probe receiver;
  io_uring_prep_msg_ring(probe.sqe(), receiver.fd(), 42, 4711, IORING_MSG_RING_FLAGS_PASS);
  return probe.one_result() == 0;
}

constexpr const char* buffers_page = "io_uring_provided_buffers(7)";

constexpr std::array table{
    Claim{"io_uring_multishot(7)", "a multishot receive ends with ENOBUFS, without F_MORE",
          "48 bytes, 2 buffers of 16", Verdict::holds, multishot_recv_runs_out},
    Claim{buffers_page, "no buffer left: ENOBUFS", "RECV with data and no buffers", Verdict::holds,
          one_shot_without_buffers},
    Claim{"io_uring_register_buf_ring(3)", "a buffer is chosen when there is data to receive",
          "multishot receive, no data, no buffers", Verdict::does_not_hold, no_buffers_and_no_data},
    Claim{buffers_page, "F_BUFFER is set and the buffer's id is in the upper flags",
          "receive one byte", Verdict::holds, buffer_id_in_the_flags},
    Claim{"io_uring_multishot(7)", "a multishot receive ends when the connection closes",
          "the peer shuts down", Verdict::holds, multishot_recv_ends_with_the_peer},
    Claim{"io_uring_prep_recv(3)", "a multishot receive takes no MSG_WAITALL", "it with the flag",
          Verdict::holds, multishot_recv_with_waitall},
    Claim{"io_uring_prep_recv(3)", "a multishot receive needs BUFFER_SELECT",
          "it with a buffer of its own", Verdict::holds, multishot_recv_needs_select},
    Claim{buffers_page, "a buffer ring's size is a power of two", "6 entries", Verdict::holds,
          buffer_ring_power_of_two},
    Claim{buffers_page, "it has at most 32768 entries", "32768 and 65536", Verdict::holds,
          buffer_ring_too_large},
    Claim{"io_uring_prep_accept(3)", "no free slot in the file table: ENFILE",
          "direct accept, a table of one file", Verdict::holds, accept_without_slots},
    Claim{"io_uring_prep_accept(3)", "an accept into a chosen slot answers 0", "slot 2",
          Verdict::holds, accept_into_a_slot},
    Claim{"io_uring_prep_accept(3), NOTES", "direct accept with SOCK_CLOEXEC: EINVAL",
          "it with the flag", Verdict::holds, direct_accept_with_cloexec},
    Claim{"io_uring_prep_poll_add(3)", "a multishot poll posts again and again, with F_MORE",
          "two writes into a polled socket", Verdict::holds, multishot_poll_goes_on},
    Claim{"io_uring_prep_send_zc(3)", "the result has F_MORE, then a notification with F_NOTIF",
          "64 bytes over loopback", Verdict::holds, zero_copy_has_two_cqes},
    Claim{"io_uring_prep_send_zc(3)", "REPORT_USAGE: the notification's res is 0 or ZC_COPIED",
          "64 bytes over loopback", Verdict::holds, zero_copy_reports},
    Claim{"io_uring_multishot(7)", "waitid works as a multishot with ACCEPT_MULTISHOT",
          "waitid with the flag", Verdict::does_not_hold, waitid_multishot, has_waitid},
    Claim{"io_uring_prep_msg_ring(3)", "a message's CQE has res = len and user_data = data",
          "42 and 4711", Verdict::holds, message_arrives},
    Claim{"io_uring_prep_msg_ring(3)", "a ring may send to itself", "42 and 4711", Verdict::holds,
          message_to_itself},
    Claim{"io_uring_prep_msg_ring(3), ERRORS", "an fd that is no ring: EBADFD", "to a pipe",
          Verdict::holds, message_to_a_pipe},
    Claim{"io_uring_prep_msg_ring(3), ERRORS", "a ring that is disabled: EBADFD",
          "to an R_DISABLED ring", Verdict::holds, message_to_a_disabled_ring},
    Claim{"io_uring_prep_msg_ring(3)", "msg_ring_cqe_flags sets the flags of the CQE", "bit 20",
          Verdict::holds, message_sets_flags, has_flags_pass},
};

}  // namespace

std::span<const Claim> network_claims() { return table; }

}  // namespace claims
