// Claims about cancelling: what it answers, what it matches, what closing does not do.
#include <poll.h>

#include "docs/manual-claims/probe.hpp"

namespace claims {

namespace {

/// A read of an empty pipe: it waits until somebody cancels it.
void waiting_read(Probe& probe, const Ends& ends, std::uint64_t user_data) {
  static std::array<char, 4> bytes;
  io_uring_sqe* sqe = probe.sqe();
  io_uring_prep_read(sqe, ends.read_end(), bytes.data(), 4, 0);
  Probe::finish(sqe, user_data);
}

void cancel(Probe& probe, std::uint64_t target, unsigned flags, std::uint64_t user_data) {
  io_uring_sqe* sqe = probe.sqe();
  io_uring_prep_cancel64(sqe, target, static_cast<int>(flags));
  Probe::finish(sqe, user_data);
}

Outcome two_cqes() {
  Probe probe;
  const Ends ends(Ends::Kind::pipe);
  waiting_read(probe, ends, 1);
  probe.submit();
  cancel(probe, 1, 0, 9);
  const std::vector<Answer> all = probe.submit_and_answers(2);
  return {.holds = result_of(all, 1) == -ECANCELED && result_of(all, 9) == 0, .seen = words(all)};
}

Outcome finds_nothing() {
  Probe probe;
  cancel(probe, 77, 0, 9);
  return expect(probe.one_result(), -ENOENT);
}

/// Three requests with user_data 1 wait; what a cancel with these flags answers.
std::vector<Answer> three_alike(unsigned flags) {
  Probe probe;
  const Ends ends(Ends::Kind::pipe);
  for (int i = 0; i < 3; ++i) waiting_read(probe, ends, 1);
  probe.submit();
  cancel(probe, 1, flags, 9);
  return probe.submit_and_answers(4, 100);
}

Outcome by_default_the_first() {
  const std::vector<Answer> all = three_alike(0);
  return {.holds = all.size() == 2 && result_of(all, 9) == 0, .seen = words(all)};
}

Outcome all_counts() {
  const std::vector<Answer> all = three_alike(IORING_ASYNC_CANCEL_ALL);
  return {.holds = all.size() == 4 && result_of(all, 9) == 3, .seen = words(all)};
}

Outcome any_cancels_one() {
  const std::vector<Answer> all = three_alike(IORING_ASYNC_CANCEL_ANY);
  return {.holds = all.size() == 2, .seen = words(all)};
}

Outcome all_of_nothing() {
  Probe probe;
  cancel(probe, 77, IORING_ASYNC_CANCEL_ALL, 9);
  const int res = probe.one_result();
  return {.holds = res == -ENOENT, .seen = name(res)};
}

Outcome by_fd() {
  Probe probe;
  const Ends ends(Ends::Kind::pipe);
  const Ends others(Ends::Kind::pipe);
  waiting_read(probe, ends, 1);
  waiting_read(probe, others, 2);
  probe.submit();
  io_uring_sqe* sqe = probe.sqe();
  io_uring_prep_cancel_fd(sqe, ends.read_end(), 0);
  Probe::finish(sqe, 9);
  const std::vector<Answer> all = probe.submit_and_answers(3, 100);
  return {.holds = result_of(all, 1) == -ECANCELED && result_of(all, 2) == -EAGAIN,
          .seen = words(all)};
}

Outcome by_operation() {
  Probe probe;
  const Ends ends(Ends::Kind::pipe);
  waiting_read(probe, ends, 1);
  io_uring_sqe* poll = probe.sqe();
  io_uring_prep_poll_add(poll, ends.read_end(), POLLIN);
  Probe::finish(poll, 2);
  probe.submit();
  cancel(probe, 0, IORING_ASYNC_CANCEL_OP, 9);
  // The operation's number goes into len; the helper has already prepared the rest.
  probe.ring()->sq.sqes[(probe.ring()->sq.sqe_tail - 1) & probe.ring()->sq.ring_mask].len =
      IORING_OP_POLL_ADD;
  const std::vector<Answer> all = probe.submit_and_answers(3, 100);
  return {.holds = result_of(all, 2) == -ECANCELED && result_of(all, 1) == -EAGAIN,
          .seen = words(all)};
}
bool has_by_operation() {
  Probe probe;
  cancel(probe, 0, IORING_ASYNC_CANCEL_OP, 9);
  return probe.one_result() != -EINVAL;
}

Outcome unknown_flag() {
  Probe probe;
  cancel(probe, 1, 1U << 30, 9);
  return expect(probe.one_result(), -EINVAL);
}

Outcome close_leaves_the_read() {
  Probe probe;
  Ends ends(Ends::Kind::pipe);
  waiting_read(probe, ends, 1);
  probe.submit();
  ends.close_read();
  std::vector<Answer> all = probe.answers(1, 50);
  const bool silent = all.empty();
  ends.write("1234");
  all = probe.answers(1);
  return {.holds = silent && result_of(all, 1) == 4,
          .seen = std::string(silent ? "no CQE" : "a CQE") + ", after a write " + words(all)};
}

Outcome target_came_with_the_submit() {
  Probe probe(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
  const Ends ends(Ends::Kind::pipe);
  waiting_read(probe, ends, 1);
  probe.submit();
  cancel(probe, 1, 0, 9);
  probe.submit();
  const unsigned ready = io_uring_cq_ready(probe.ring());
  return {.holds = ready == 2, .seen = std::to_string(ready) + " of 2 CQEs after the submit"};
}

Outcome target_came_without_defer() {
  Probe probe;
  const Ends ends(Ends::Kind::pipe);
  waiting_read(probe, ends, 1);
  probe.submit();
  cancel(probe, 1, 0, 9);
  probe.submit();
  const unsigned ready = io_uring_cq_ready(probe.ring());
  return {.holds = ready == 2, .seen = std::to_string(ready) + " of 2 CQEs after the submit"};
}

Outcome multishot_ends() {
  Probe probe;
  const Ends ends(Ends::Kind::pipe);
  io_uring_sqe* sqe = probe.sqe();
  io_uring_prep_poll_multishot(sqe, ends.read_end(), POLLIN);
  Probe::finish(sqe, 1);
  probe.submit();
  cancel(probe, 1, 0, 9);
  const std::vector<Answer> all = probe.submit_and_answers(2);
  bool more = false;
  for (const Answer& one : all) more = more || (one.flags & IORING_CQE_F_MORE) != 0;
  return {.holds = result_of(all, 1) == -ECANCELED && !more, .seen = words(all)};
}

Outcome canceled_breaks_its_chain() {
  Probe probe;
  const Ends ends(Ends::Kind::pipe);
  waiting_read(probe, ends, 1);
  probe.ring()->sq.sqes[0].flags |= IOSQE_IO_LINK;
  probe.nop(2);
  probe.submit();
  cancel(probe, 1, 0, 9);
  const std::vector<Answer> all = probe.submit_and_answers(3);
  return {.holds = result_of(all, 2) == -ECANCELED, .seen = words(all)};
}

int sync_cancel(Probe& probe, std::uint64_t target) {
  io_uring_sync_cancel_reg wanted{};
  wanted.addr = target;
  wanted.timeout = {.tv_sec = -1, .tv_nsec = -1};
  return io_uring_register_sync_cancel(probe.ring(), &wanted);
}

Outcome sync_cancel_works() {
  Probe probe;
  const Ends ends(Ends::Kind::pipe);
  waiting_read(probe, ends, 1);
  probe.submit();
  const int res = sync_cancel(probe, 1);
  const std::vector<Answer> all = probe.answers(1);
  return {.holds = res == 0 && result_of(all, 1) == -ECANCELED,
          .seen = "returned " + name(res) + ", then " + words(all)};
}

Outcome sync_cancel_finds_nothing() {
  Probe probe;
  return expect(sync_cancel(probe, 77), -ENOENT);
}

constexpr const char* page = "io_uring_cancelation(7)";

constexpr std::array table{
    Claim{page, "a cancel makes two CQEs: the target's ECANCELED, its own 0",
          "1: READ of an empty pipe, 9: cancel", Verdict::holds, two_cqes},
    Claim{page, "nothing found: ENOENT", "an unused user_data", Verdict::holds, finds_nothing},
    Claim{"io_uring_prep_cancel(3)", "by default the first match is cancelled, no other",
          "three requests with user_data 1, 9: cancel", Verdict::holds, by_default_the_first},
    Claim{page, "ALL: all matches; the cancel's res is how many",
          "three requests with user_data 1, 9: cancel ALL", Verdict::holds, all_counts},
    Claim{page, "ANY alone cancels a single request",
          "three requests with user_data 1, 9: cancel ANY", Verdict::does_not_hold,
          any_cancels_one},
    Claim{page, "nothing found, with ALL: ENOENT", "an unused user_data", Verdict::does_not_hold,
          all_of_nothing},
    Claim{"io_uring_prep_cancel(3)", "CANCEL_FD matches the fd", "1 and 2 wait on different pipes",
          Verdict::holds, by_fd},
    Claim{"io_uring_prep_cancel(3)", "CANCEL_OP matches the operation in len",
          "1: READ, 2: POLL_ADD, 9: cancel polls", Verdict::holds, by_operation, has_by_operation,
          "6.1"},
    Claim{"io_uring_prep_cancel(3), ERRORS", "an invalid field: EINVAL", "flag 1 << 30",
          Verdict::holds, unknown_flag},
    Claim{page, "closing an fd does not end what waits on it",
          "READ of a pipe, close its fd, then write", Verdict::holds, close_leaves_the_read},
    Claim{"io_uring_prep_cancel(3), NOTES", "the target's CQE is there when the submit returns",
          "READ of an empty pipe and its cancel", Verdict::holds, target_came_without_defer},
    Claim{"io_uring_prep_cancel(3), NOTES",
          "the target's CQE is there when the submit returns (DEFER_TASKRUN ring)",
          "READ of an empty pipe and its cancel", Verdict::does_not_hold,
          target_came_with_the_submit},
    Claim{page, "a cancelled multishot's last CQE: ECANCELED without F_MORE",
          "1: multishot poll, 9: cancel", Verdict::holds, multishot_ends},
    Claim{"io_uring_linked_requests(7), NOTES", "a cancelled request breaks its chain",
          "1: READ, linked, 2: NOP, 9: cancel 1", Verdict::holds, canceled_breaks_its_chain},
    Claim{"io_uring_register_sync_cancel(3)", "returns 0 when the request was cancelled",
          "1: READ of an empty pipe", Verdict::holds, sync_cancel_works},
    Claim{"io_uring_register_sync_cancel(3)", "returns ENOENT when there is none",
          "an unused user_data", Verdict::holds, sync_cancel_finds_nothing},
};

}  // namespace

std::span<const Claim> cancel_claims() { return table; }

}  // namespace claims
