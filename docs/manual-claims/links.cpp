// Claims about linked requests: what breaks a chain, where it ends, what a link timeout covers.
#include "docs/manual-claims/probe.hpp"

namespace claims {

namespace {

void bad_close(Probe& probe, std::uint64_t user_data, unsigned flags) {
  io_uring_sqe* sqe = probe.sqe();
  io_uring_prep_close(sqe, -1);
  Probe::finish(sqe, user_data, flags);
}

void limit(Probe& probe, __kernel_timespec& time, std::uint64_t user_data, unsigned flags = 0) {
  io_uring_sqe* sqe = probe.sqe();
  io_uring_prep_link_timeout(sqe, &time, 0);
  Probe::finish(sqe, user_data, flags);
}

Outcome soft_link_breaks() {
  Probe probe;
  bad_close(probe, 1, IOSQE_IO_LINK);
  probe.nop(2, IOSQE_IO_LINK);
  probe.nop(3);
  const std::vector<Answer> all = probe.submit_and_answers(3);
  return {.holds = result_of(all, 2) == -ECANCELED && result_of(all, 3) == -ECANCELED,
          .seen = words(all)};
}

Outcome hard_link_goes_on() {
  Probe probe;
  bad_close(probe, 1, IOSQE_IO_HARDLINK);
  probe.nop(2);
  const std::vector<Answer> all = probe.submit_and_answers(2);
  return {.holds = result_of(all, 1) == -EBADF && result_of(all, 2) == 0, .seen = words(all)};
}

Outcome hard_link_breaks_at_submit() {
  Probe probe;
  io_uring_sqe* sqe = probe.sqe();
  io_uring_prep_rw(250, sqe, -1, nullptr, 0, 0);  // no such operation: it cannot be submitted
  Probe::finish(sqe, 1, IOSQE_IO_HARDLINK);
  probe.nop(2);
  probe.submit();
  const std::vector<Answer> all = probe.submit_and_answers(2, 200);
  return {.holds = result_of(all, 2) == -ECANCELED, .seen = words(all)};
}

Outcome link_type_counts_for_each_request() {
  Probe probe;
  bad_close(probe, 1, IOSQE_IO_HARDLINK);
  bad_close(probe, 2, IOSQE_IO_LINK);
  probe.nop(3);
  const std::vector<Answer> all = probe.submit_and_answers(3);
  return {.holds = result_of(all, 2) == -EBADF && result_of(all, 3) == -ECANCELED,
          .seen = words(all)};
}

/// A request for 8 bytes where 4 are there, linked with a NOP.
enum class Short { read, recv, recv_waitall };
std::vector<Answer> short_transfer(Short kind) {
  Probe probe;
  const Ends ends(kind == Short::read ? Ends::Kind::pipe : Ends::Kind::sockets);
  ends.write("1234");
  if (kind == Short::recv_waitall) shutdown(ends.write_end(), SHUT_WR);
  std::array<char, 8> bytes{};
  io_uring_sqe* sqe = probe.sqe();
  const int flags = kind == Short::recv_waitall ? MSG_WAITALL : 0;
  if (kind == Short::read) io_uring_prep_read(sqe, ends.read_end(), bytes.data(), 8, 0);
  if (kind != Short::read) io_uring_prep_recv(sqe, ends.read_end(), bytes.data(), 8, flags);
  Probe::finish(sqe, 1, IOSQE_IO_LINK);
  probe.nop(2);
  return probe.submit_and_answers(2);
}

Outcome short_read_breaks() {
  const std::vector<Answer> all = short_transfer(Short::read);
  return {.holds = result_of(all, 2) == -ECANCELED, .seen = words(all)};
}

Outcome only_failures_break() {
  const std::vector<Answer> all = short_transfer(Short::read);
  return {.holds = result_of(all, 2) == 0, .seen = words(all)};
}

Outcome short_recv_breaks() {
  const std::vector<Answer> all = short_transfer(Short::recv);
  return {.holds = result_of(all, 2) == -ECANCELED, .seen = words(all)};
}

Outcome short_waitall_breaks() {
  const std::vector<Answer> all = short_transfer(Short::recv_waitall);
  return {.holds = result_of(all, 2) == -ECANCELED, .seen = words(all)};
}

Outcome last_link_flag_is_ignored() {
  Probe probe;
  probe.nop(1, IOSQE_IO_LINK);
  return expect(probe.one_result(), 0);
}

Outcome submit_ends_the_chain() {
  Probe probe;
  bad_close(probe, 1, IOSQE_IO_LINK);
  probe.submit();
  probe.nop(2);
  const std::vector<Answer> all = probe.submit_and_answers(2);
  return {.holds = result_of(all, 2) == 0, .seen = words(all)};
}

Outcome cqes_in_chain_order() {
  Probe probe;
  __kernel_timespec time = milliseconds(10);
  probe.nop(1, IOSQE_IO_LINK);
  io_uring_sqe* sqe = probe.sqe();
  io_uring_prep_timeout(sqe, &time, 0, IORING_TIMEOUT_ETIME_SUCCESS);
  Probe::finish(sqe, 2, IOSQE_IO_LINK);
  probe.nop(3);
  const std::vector<Answer> all = probe.submit_and_answers(3);
  return {.holds = all.size() == 3 && all[0].user_data == 1 && all[2].user_data == 3,
          .seen = words(all)};
}

/// A read that gets nothing, and a limit of 10 ms for it.
Outcome limit_expires() {
  Probe probe;
  const Ends ends(Ends::Kind::pipe);
  std::array<char, 4> bytes{};
  __kernel_timespec time = milliseconds(10);
  io_uring_sqe* sqe = probe.sqe();
  io_uring_prep_read(sqe, ends.read_end(), bytes.data(), 4, 0);
  Probe::finish(sqe, 1, IOSQE_IO_LINK);
  limit(probe, time, 2);
  const std::vector<Answer> all = probe.submit_and_answers(2);
  return {.holds = result_of(all, 1) == -ECANCELED && result_of(all, 2) == -ETIME,
          .seen = words(all)};
}

Outcome limit_not_needed() {
  Probe probe;
  __kernel_timespec time = milliseconds(1000);
  probe.nop(1, IOSQE_IO_LINK);
  limit(probe, time, 2);
  const std::vector<Answer> all = probe.submit_and_answers(2);
  return {.holds = result_of(all, 1) == 0 && result_of(all, 2) == -ECANCELED, .seen = words(all)};
}

/// Two requests that take 60 ms together, and a limit of 20 ms after the last, which takes none.
Outcome limit_covers_the_chain() {
  Probe probe;
  __kernel_timespec wait = milliseconds(60);
  __kernel_timespec time = milliseconds(20);
  io_uring_sqe* sqe = probe.sqe();
  io_uring_prep_timeout(sqe, &wait, 0, IORING_TIMEOUT_ETIME_SUCCESS);
  Probe::finish(sqe, 1, IOSQE_IO_LINK);
  probe.nop(2, IOSQE_IO_LINK);
  limit(probe, time, 3);
  const std::vector<Answer> all = probe.submit_and_answers(3);
  return {.holds = result_of(all, 3) == -ETIME, .seen = words(all)};
}

Outcome limit_with_skip_is_silent() {
  Probe probe;
  __kernel_timespec time = milliseconds(1000);
  probe.nop(1, IOSQE_IO_LINK);
  limit(probe, time, 2, IOSQE_CQE_SKIP_SUCCESS);
  const std::vector<Answer> all = probe.submit_and_answers(2, 100);
  return {.holds = all.size() == 1 && all[0].user_data == 1, .seen = words(all)};
}

Outcome skip_leaves_one_cqe_per_chain() {
  Probe probe;
  probe.nop(1, IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS);
  probe.nop(2, IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS);
  probe.nop(3);
  const std::vector<Answer> all = probe.submit_and_answers(2, 100);
  return {.holds = all.size() == 1 && all[0].user_data == 3, .seen = words(all)};
}

Outcome failed_skip_silences_the_rest() {
  Probe probe;
  bad_close(probe, 1, IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS);
  probe.nop(2, IOSQE_IO_LINK);
  probe.nop(3);
  const std::vector<Answer> all = probe.submit_and_answers(3, 100);
  return {.holds = all.size() == 1 && all[0].user_data == 1, .seen = words(all)};
}

constexpr const char* page = "io_uring_linked_requests(7)";

constexpr std::array table{
    Claim{page, "soft: after a failure the rest is ECANCELED", "1: close(-1), 2 and 3: NOP",
          Verdict::holds, soft_link_breaks},
    Claim{page, "hard: the chain goes on after a failure", "1: close(-1), 2: NOP", Verdict::holds,
          hard_link_goes_on},
    Claim{"io_uring_enter(2), IO_HARDLINK", "hard: it breaks when a request cannot be submitted",
          "1: unknown operation, 2: NOP", Verdict::holds, hard_link_breaks_at_submit},
    Claim{page, "in a mixed chain each request's own flag decides",
          "1: close(-1) hard, 2: close(-1) soft, 3: NOP", Verdict::holds,
          link_type_counts_for_each_request},
    Claim{"io_uring_enter(2), IO_LINK", "a short read breaks the chain",
          "1: READ of 8 where 4 are, 2: NOP", Verdict::holds, short_read_breaks},
    Claim{page, "what breaks a soft chain is a negative result", "1: READ of 8 where 4 are, 2: NOP",
          Verdict::does_not_hold, only_failures_break},
    Claim{"io_uring_enter(2), IO_LINK", "any unexpected result breaks it: a short receive, too",
          "1: RECV of 8 where 4 are, 2: NOP", Verdict::does_not_hold, short_recv_breaks},
    Claim{"io_uring_enter(2), IO_LINK", "a short receive with MSG_WAITALL breaks it",
          "1: RECV of 8 with MSG_WAITALL, the peer ends after 4, 2: NOP", Verdict::holds,
          short_waitall_breaks},
    Claim{page, "the link flag of the last request is ignored", "a NOP with it", Verdict::holds,
          last_link_flag_is_ignored},
    Claim{"io_uring_enter(2), IO_LINK", "a chain does not go beyond a submit",
          "1: close(-1) linked, submit, 2: NOP", Verdict::holds, submit_ends_the_chain},
    Claim{page, "the CQEs of a chain come in its order", "1: NOP, 2: timeout of 10 ms, 3: NOP",
          Verdict::holds, cqes_in_chain_order},
    Claim{page, "a link timeout that expires: ETIME, its request ECANCELED",
          "1: READ of an empty pipe, 2: limit of 10 ms", Verdict::holds, limit_expires},
    Claim{page, "a link timeout that is not needed: ECANCELED", "1: NOP, 2: limit of 1 s",
          Verdict::holds, limit_not_needed},
    Claim{page, "a link timeout after the last request limits the whole chain",
          "1: timeout of 60 ms, 2: NOP, 3: limit of 20 ms", Verdict::does_not_hold,
          limit_covers_the_chain},
    Claim{"io_uring_enter(2), CQE_SKIP_SUCCESS", "a link timeout with it never posts a CQE",
          "1: NOP, 2: limit of 1 s with SKIP", Verdict::holds, limit_with_skip_is_silent},
    Claim{"io_uring_enter(2), CQE_SKIP_SUCCESS", "all but the last with it: one CQE per chain",
          "1 and 2: NOP with SKIP, 3: NOP", Verdict::holds, skip_leaves_one_cqe_per_chain},
    Claim{"io_uring_enter(2), CQE_SKIP_SUCCESS", "a failed one silences the rest of its chain",
          "1: close(-1) with SKIP, 2 and 3: NOP", Verdict::holds, failed_skip_silences_the_rest},
};

}  // namespace

std::span<const Claim> link_claims() { return table; }

}  // namespace claims
