// Claims about io_uring_enter(2): what a submit returns, errors in CQEs, order, overflow.
#include <poll.h>

#include "docs/manual-claims/probe.hpp"

namespace claims {

namespace {

int enter(int fd, unsigned to_submit, unsigned min_complete, unsigned flags) {
  return io_uring_enter(static_cast<unsigned>(fd), to_submit, min_complete, flags, nullptr);
}

Outcome enter_on_a_pipe() {
  const Ends ends(Ends::Kind::pipe);
  return expect(enter(ends.read_end(), 0, 0, 0), -EOPNOTSUPP);
}

Outcome enter_on_no_fd() { return expect(enter(1 << 20, 0, 0, 0), -EBADF); }

Outcome enter_with_bad_flags() {
  const Probe probe;
  return expect(enter(probe.fd(), 0, 0, 1U << 31), -EINVAL);
}

Outcome overflow_is_busy() {
  Probe probe(0, 4, 4);
  for (unsigned i = 0; i < 12; ++i) {
    probe.nop(i);
    probe.submit();
  }
  const int res = enter(probe.fd(), 0, 0, IORING_ENTER_GETEVENTS);
  return {.holds = res == -EBUSY, .seen = "8 do not fit, the CQ is full: " + name(res)};
}

void prepare_unknown(Probe& probe, std::uint64_t user_data) {
  io_uring_sqe* sqe = probe.sqe();
  io_uring_prep_rw(250, sqe, -1, nullptr, 0, 0);
  Probe::finish(sqe, user_data);
}

int submit_with_an_error_in_the_middle(unsigned setup_flags) {
  Probe probe(setup_flags);
  probe.nop(1);
  prepare_unknown(probe, 2);
  probe.nop(3);
  return probe.submit();
}

Outcome an_error_stops_the_batch() {
  const int res = submit_with_an_error_in_the_middle(0);
  return {.holds = res == 2, .seen = "submitted " + name(res) + " of 3"};
}

Outcome submit_all_goes_on() {
  const int res = submit_with_an_error_in_the_middle(IORING_SETUP_SUBMIT_ALL);
  return {.holds = res == 3, .seen = "submitted " + name(res) + " of 3"};
}

Outcome unknown_opcode() {
  Probe probe;
  prepare_unknown(probe, 1);
  return expect(probe.one_result(), -EINVAL);
}

Outcome bad_fd() {
  Probe probe;
  std::array<char, 4> bytes{};
  io_uring_prep_read(probe.sqe(), 1 << 20, bytes.data(), 4, 0);
  return expect(probe.one_result(), -EBADF);
}

Outcome fixed_file_without_table() {
  Probe probe;
  std::array<char, 4> bytes{};
  io_uring_sqe* sqe = probe.sqe();
  io_uring_prep_read(sqe, 0, bytes.data(), 4, 0);
  Probe::finish(sqe, 1, IOSQE_FIXED_FILE);
  return expect(probe.one_result(), -EBADF);
}

Outcome fixed_file_for_open() {
  Probe probe;
  io_uring_sqe* sqe = probe.sqe();
  io_uring_prep_openat(sqe, AT_FDCWD, "/dev/null", O_RDONLY, 0);
  Probe::finish(sqe, 1, IOSQE_FIXED_FILE);
  return expect(probe.one_result(), -EBADF);
}

Outcome fixed_read_without_buffers() {
  Probe probe;
  const Ends ends(Ends::Kind::pipe);
  std::array<char, 4> bytes{};
  io_uring_prep_read_fixed(probe.sqe(), ends.read_end(), bytes.data(), 4, 0, 0);
  return expect(probe.one_result(), -EFAULT);
}

/// Registers one buffer of 64 bytes.
void register_one(Probe& probe, std::array<char, 64>& bytes) {
  const iovec buffer{.iov_base = bytes.data(), .iov_len = bytes.size()};
  io_uring_register_buffers(probe.ring(), &buffer, 1);
}

Outcome fixed_read_with_bad_index() {
  Probe probe;
  const Ends ends(Ends::Kind::pipe);
  std::array<char, 64> bytes{};
  register_one(probe, bytes);
  io_uring_prep_read_fixed(probe.sqe(), ends.read_end(), bytes.data(), 4, 0, 5);
  return expect(probe.one_result(), -EINVAL);
}

Outcome fixed_read_beyond_the_buffer() {
  Probe probe;
  const Ends ends(Ends::Kind::pipe);
  std::array<char, 64> bytes{};
  register_one(probe, bytes);
  ends.write("12345678");
  io_uring_prep_read_fixed(probe.sqe(), ends.read_end(), bytes.data() + 60, 8, 0, 0);
  return expect(probe.one_result(), -EFAULT);
}

Outcome readv_beside_fixed_buffers() {
  Probe probe;
  const Ends ends(Ends::Kind::pipe);
  std::array<char, 64> bytes{};
  register_one(probe, bytes);
  ends.write("1234");
  const iovec piece{.iov_base = bytes.data(), .iov_len = 4};
  io_uring_prep_readv(probe.sqe(), ends.read_end(), &piece, 1, 0);
  return expect(probe.one_result(), -EINVAL);
}

Outcome poll_with_an_address() {
  Probe probe;
  const Ends ends(Ends::Kind::pipe);
  io_uring_sqe* sqe = probe.sqe();
  io_uring_prep_poll_add(sqe, ends.write_end(), POLLOUT);
  sqe->addr = 1;
  return expect(probe.one_result(), -EINVAL);
}

Outcome select_where_it_means_nothing() {
  Probe probe;
  const Ends ends(Ends::Kind::pipe);
  io_uring_sqe* sqe = probe.sqe();
  io_uring_prep_fsync(sqe, ends.write_end(), 0);
  Probe::finish(sqe, 1, IOSQE_BUFFER_SELECT);
  return expect(probe.one_result(), -EOPNOTSUPP);
}

Outcome unknown_personality() {
  Probe probe;
  io_uring_sqe* sqe = probe.sqe();
  io_uring_prep_nop(sqe);
  sqe->personality = 99;
  return expect(probe.one_result(), -EINVAL);
}

Outcome drain_waits() {
  Probe probe;
  __kernel_timespec wait = milliseconds(20);
  io_uring_sqe* sqe = probe.sqe();
  io_uring_prep_timeout(sqe, &wait, 0, 0);
  Probe::finish(sqe, 1);
  probe.nop(2, IOSQE_IO_DRAIN);
  probe.nop(3);
  const std::vector<Answer> all = probe.submit_and_answers(3);
  const bool in_order = all.size() == 3 && all[0].user_data == 1 && all[1].user_data == 2;
  return {.holds = in_order, .seen = words(all)};
}

Outcome drain_after_skip() {
  Probe probe;
  probe.nop(1, IOSQE_CQE_SKIP_SUCCESS);
  probe.nop(2, IOSQE_IO_DRAIN);
  const std::vector<Answer> all = probe.submit_and_answers(1, 300);
  return {.holds = result_of(all, 2) < 0 && !all.empty(), .seen = words(all)};
}

Outcome skip_hides_success() {
  Probe probe;
  probe.nop(1, IOSQE_CQE_SKIP_SUCCESS);
  probe.nop(2);
  const std::vector<Answer> all = probe.submit_and_answers(2, 100);
  return {.holds = all.size() == 1 && all[0].user_data == 2, .seen = words(all)};
}

Outcome skip_shows_failure() {
  Probe probe;
  io_uring_sqe* sqe = probe.sqe();
  io_uring_prep_close(sqe, -1);
  Probe::finish(sqe, 1, IOSQE_CQE_SKIP_SUCCESS);
  const std::vector<Answer> all = probe.submit_and_answers(1, 300);
  return {.holds = all.size() == 1 && all[0].res == -EBADF, .seen = words(all)};
}

Outcome sqe_may_be_reused() {
  Probe probe;
  const Ends ends(Ends::Kind::pipe);
  std::array<char, 4> bytes{};
  io_uring_prep_read(probe.sqe(), ends.read_end(), bytes.data(), 4, 0);
  probe.submit();
  for (unsigned i = 0; i < 8; ++i)
    std::memset(&probe.ring()->sq.sqes[i], 0xff, sizeof(io_uring_sqe));
  ends.write("1234");
  const std::vector<Answer> all = probe.answers(1);
  return {.holds = all.size() == 1 && all[0].res == 4, .seen = words(all)};
}

Outcome poll_remove_finds_nothing() {
  Probe probe;
  io_uring_prep_poll_remove(probe.sqe(), 77);
  return expect(probe.one_result(), -ENOENT);
}

Outcome poll_is_one_shot() {
  Probe probe;
  const Ends ends(Ends::Kind::sockets);
  io_uring_prep_poll_add(probe.sqe(), ends.read_end(), POLLIN);
  probe.submit();
  ends.write("1");
  std::vector<Answer> all = probe.answers(1);
  ends.write("2");
  for (const Answer& more : probe.answers(1, 50)) all.push_back(more);
  return {.holds = all.size() == 1 && (all[0].flags & IORING_CQE_F_MORE) == 0,
          .seen = std::to_string(all.size()) + " CQE for two writes"};
}

Outcome poll_sees_what_is_ready() {
  Probe probe;
  const Ends ends(Ends::Kind::sockets);
  ends.write("1");
  io_uring_prep_poll_add(probe.sqe(), ends.read_end(), POLLIN);
  const int res = probe.one_result();
  return {.holds = res > 0 && (res & POLLIN) != 0, .seen = name(res)};
}

constexpr std::array table{
    Claim{"io_uring_enter(2), ERRORS", "an fd that is no ring: EOPNOTSUPP", "enter on a pipe",
          Verdict::holds, enter_on_a_pipe},
    Claim{"io_uring_enter(2), ERRORS", "no valid fd: EBADF", "enter on a number without a file",
          Verdict::holds, enter_on_no_fd},
    Claim{"io_uring_enter(2), ERRORS", "unknown bits in flags: EINVAL", "flag 1 << 31",
          Verdict::holds, enter_with_bad_flags},
    Claim{"io_uring_enter(2), ERRORS", "overflowed entries that still do not fit: EBUSY",
          "12 NOPs into a CQ of 4, then GETEVENTS", Verdict::does_not_hold, overflow_is_busy},
    Claim{"io_uring_setup(2), SUBMIT_ALL", "without SUBMIT_ALL an error stops the batch",
          "NOP, unknown operation, NOP", Verdict::holds, an_error_stops_the_batch},
    Claim{"io_uring_setup(2), SUBMIT_ALL", "with SUBMIT_ALL the rest is submitted, too",
          "NOP, unknown operation, NOP", Verdict::holds, submit_all_goes_on},
    Claim{"io_uring_enter(2), CQE ERRORS", "an invalid opcode: EINVAL", "operation 250",
          Verdict::holds, unknown_opcode},
    Claim{"io_uring_enter(2), CQE ERRORS", "an invalid fd: EBADF", "READ", Verdict::holds, bad_fd},
    Claim{"io_uring_enter(2), CQE ERRORS", "FIXED_FILE without registered files: EBADF", "READ",
          Verdict::holds, fixed_file_without_table},
    Claim{"io_uring_enter(2), FIXED_FILE", "FIXED_FILE where it is not supported: EBADF", "OPENAT",
          Verdict::holds, fixed_file_for_open},
    Claim{"io_uring_enter(2), CQE ERRORS", "READ_FIXED without registered buffers: EFAULT",
          "READ_FIXED", Verdict::holds, fixed_read_without_buffers},
    Claim{"io_uring_enter(2), CQE ERRORS", "READ_FIXED beyond its buffer: EFAULT",
          "8 bytes at 60 of 64", Verdict::holds, fixed_read_beyond_the_buffer},
    Claim{"io_uring_enter(2), CQE ERRORS", "READ_FIXED with an invalid buf_index: EINVAL",
          "buf_index 5, one is registered", Verdict::does_not_hold, fixed_read_with_bad_index},
    Claim{"io_uring_enter(2), CQE ERRORS", "READV on a ring with fixed buffers: EINVAL",
          "READV of 4 bytes", Verdict::does_not_hold, readv_beside_fixed_buffers},
    Claim{"io_uring_enter(2), CQE ERRORS", "POLL_ADD with addr not 0: EINVAL", "addr 1",
          Verdict::holds, poll_with_an_address},
    Claim{"io_uring_enter(2), CQE ERRORS", "BUFFER_SELECT where it is not supported: EOPNOTSUPP",
          "FSYNC", Verdict::holds, select_where_it_means_nothing},
    Claim{"io_uring_enter(2), CQE ERRORS", "an invalid personality: EINVAL", "personality 99",
          Verdict::holds, unknown_personality},
    Claim{"io_uring_enter(2), IO_DRAIN", "a drained SQE waits for those before, holds those after",
          "1: timeout of 20 ms, 2: NOP with DRAIN, 3: NOP", Verdict::holds, drain_waits, nullptr,
          "6.1"},
    Claim{"io_uring_enter(2), CQE_SKIP_SUCCESS", "after the first SKIP, drained requests fail",
          "1: NOP with SKIP, 2: NOP with DRAIN", Verdict::holds, drain_after_skip},
    Claim{"io_uring_enter(2), CQE_SKIP_SUCCESS", "no CQE when the request succeeds",
          "1: NOP with SKIP, 2: NOP", Verdict::holds, skip_hides_success},
    Claim{"io_uring_enter(2), CQE_SKIP_SUCCESS", "a CQE when it fails", "close(-1) with SKIP",
          Verdict::holds, skip_shows_failure},
    Claim{"io_uring_enter(2)", "an SQE may be reused once the submit has returned",
          "overwrite the SQE of a waiting READ", Verdict::holds, sqe_may_be_reused},
    Claim{"io_uring_enter(2), POLL_REMOVE", "not found: ENOENT", "an unused user_data",
          Verdict::holds, poll_remove_finds_nothing},
    Claim{"io_uring_enter(2), POLL_ADD", "by default a poll is over after one CQE",
          "two writes into a polled socket", Verdict::holds, poll_is_one_shot},
    Claim{"io_uring_enter(2), POLL_ADD", "what is ready at the submit gives a CQE",
          "poll a socket with data", Verdict::holds, poll_sees_what_is_ready},
};

}  // namespace

std::span<const Claim> submit_claims() { return table; }

}  // namespace claims
