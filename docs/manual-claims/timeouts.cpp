// Claims about timeouts: what they answer, their clocks, their counts, waiting with a limit.
#include <sys/eventfd.h>

#include <chrono>
#include <ctime>

#include "docs/manual-claims/probe.hpp"

namespace claims {

namespace {

using Clock = std::chrono::steady_clock;

long long ms_since(Clock::time_point begin) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count();
}

void prepare(Probe& probe, __kernel_timespec& time, unsigned count, unsigned flags,
             std::uint64_t user_data, unsigned sqe_flags = 0) {
  io_uring_sqe* sqe = probe.sqe();
  io_uring_prep_timeout(sqe, &time, count, flags);
  Probe::finish(sqe, user_data, sqe_flags);
}

Outcome expires_with_etime() {
  Probe probe;
  __kernel_timespec time = milliseconds(10);
  prepare(probe, time, 0, 0, 1);
  return expect(probe.one_result(), -ETIME);
}

Outcome count_gives_zero() {
  Probe probe;
  __kernel_timespec time = milliseconds(5000);
  prepare(probe, time, 1, 0, 1);
  probe.nop(2);
  const std::vector<Answer> all = probe.submit_and_answers(2);
  return {.holds = result_of(all, 1) == 0, .seen = words(all)};
}

Outcome timespec_may_change_after_submit() {
  Probe probe;
  __kernel_timespec time = milliseconds(5000);
  prepare(probe, time, 0, 0, 1);
  time = milliseconds(5);
  probe.submit();
  time = milliseconds(5000);
  return expect(result_of(probe.answers(1), 1), -ETIME);
}

Outcome absolute_time_of_the_past() {
  Probe probe;
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  __kernel_timespec time{.tv_sec = now.tv_sec - 1, .tv_nsec = now.tv_nsec};
  prepare(probe, time, 0, IORING_TIMEOUT_ABS, 1);
  const auto begin = Clock::now();
  const int res = probe.one_result();
  return {.holds = res == -ETIME && ms_since(begin) < 900, .seen = "at once: " + name(res)};
}

Outcome realtime_clock() {
  Probe probe;
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  __kernel_timespec time{.tv_sec = now.tv_sec - 1, .tv_nsec = now.tv_nsec};
  prepare(probe, time, 0, IORING_TIMEOUT_ABS | IORING_TIMEOUT_REALTIME, 1);
  return expect(probe.one_result(), -ETIME);
}

Outcome two_clocks() {
  Probe probe;
  __kernel_timespec time = milliseconds(10);
  prepare(probe, time, 0, IORING_TIMEOUT_BOOTTIME | IORING_TIMEOUT_REALTIME, 1);
  return expect(probe.one_result(), -EINVAL);
}

Outcome negative_time() {
  Probe probe;
  __kernel_timespec time{.tv_sec = -1, .tv_nsec = 0};
  prepare(probe, time, 0, 0, 1);
  return expect(probe.one_result(), -EINVAL);
}

Outcome bad_address() {
  Probe probe;
  io_uring_sqe* sqe = probe.sqe();
  io_uring_prep_timeout(sqe, nullptr, 0, 0);
  return expect(probe.one_result(), -EFAULT);
}

Outcome remove_finds_nothing() {
  Probe probe;
  io_uring_prep_timeout_remove(probe.sqe(), 77, 0);
  return expect(probe.one_result(), -ENOENT);
}

Outcome removed_is_canceled() {
  Probe probe;
  __kernel_timespec time = milliseconds(5000);
  prepare(probe, time, 0, 0, 1);
  probe.submit();
  io_uring_sqe* sqe = probe.sqe();
  io_uring_prep_timeout_remove(sqe, 1, 0);
  Probe::finish(sqe, 2);
  const std::vector<Answer> all = probe.submit_and_answers(2);
  return {.holds = result_of(all, 1) == -ECANCELED && result_of(all, 2) == 0, .seen = words(all)};
}

Outcome update_shortens() {
  Probe probe;
  __kernel_timespec time = milliseconds(5000);
  prepare(probe, time, 0, 0, 1);
  probe.submit();
  __kernel_timespec sooner = milliseconds(5);
  io_uring_sqe* sqe = probe.sqe();
  io_uring_prep_timeout_update(sqe, &sooner, 1, 0);
  Probe::finish(sqe, 2);
  const std::vector<Answer> all = probe.submit_and_answers(2);
  return {.holds = result_of(all, 1) == -ETIME && result_of(all, 2) == 0, .seen = words(all)};
}

Outcome etime_success_keeps_the_link() {
  Probe probe;
  __kernel_timespec time = milliseconds(5);
  prepare(probe, time, 0, IORING_TIMEOUT_ETIME_SUCCESS, 1, IOSQE_IO_LINK);
  probe.nop(2);
  const std::vector<Answer> all = probe.submit_and_answers(2);
  return {.holds = result_of(all, 1) == -ETIME && result_of(all, 2) == 0, .seen = words(all)};
}

Outcome expiry_breaks_the_link() {
  Probe probe;
  __kernel_timespec time = milliseconds(5);
  prepare(probe, time, 0, 0, 1, IOSQE_IO_LINK);
  probe.nop(2);
  const std::vector<Answer> all = probe.submit_and_answers(2);
  return {.holds = result_of(all, 2) == -ECANCELED, .seen = words(all)};
}

Outcome multishot_repeats() {
  Probe probe;
  __kernel_timespec time = milliseconds(2);
  prepare(probe, time, 3, IORING_TIMEOUT_MULTISHOT, 1);
  const std::vector<Answer> all = probe.submit_and_answers(4, 300);
  bool holds = all.size() == 3;
  for (std::size_t i = 0; i < all.size(); ++i) {
    holds = holds && ((all[i].flags & IORING_CQE_F_MORE) != 0) == (i + 1 < all.size());
  }
  return {.holds = holds, .seen = words(all)};
}
bool has_multishot() {
  Probe probe;
  __kernel_timespec time = milliseconds(1);
  prepare(probe, time, 1, IORING_TIMEOUT_MULTISHOT, 1);
  return probe.one_result() != -EINVAL;
}

Outcome multishot_absolute() {
  Probe probe;
  __kernel_timespec time = milliseconds(2);
  prepare(probe, time, 1, IORING_TIMEOUT_MULTISHOT | IORING_TIMEOUT_ABS, 1);
  return expect(probe.one_result(), -EINVAL);
}

Outcome wait_ends_after_its_limit() {
  Probe probe;
  io_uring_cqe* cqe = nullptr;
  __kernel_timespec limit = milliseconds(20);
  const auto begin = Clock::now();
  const int res = io_uring_wait_cqe_timeout(probe.ring(), &cqe, &limit);
  return {.holds = res == -ETIME && ms_since(begin) >= 19, .seen = name(res)};
}

constexpr std::array table{
    Claim{"io_uring_prep_timeout(3)", "a timeout that occurs answers ETIME", "10 ms",
          Verdict::holds, expires_with_etime},
    Claim{"io_uring_prep_timeout(3)", "it answers 0 when its count of completions came",
          "1: count 1 and 5 s, 2: NOP", Verdict::holds, count_gives_zero},
    Claim{"io_uring_prep_timeout(3), NOTES", "its time must be valid until the submit, not longer",
          "5 ms, after the submit overwritten with 5 s", Verdict::holds,
          timespec_may_change_after_submit},
    Claim{"io_uring_prep_timeout(3)", "ABS: the time is absolute, by default of CLOCK_MONOTONIC",
          "one second ago", Verdict::holds, absolute_time_of_the_past},
    Claim{"io_uring_prep_timeout(3)", "REALTIME takes that clock",
          "one second ago by CLOCK_REALTIME", Verdict::holds, realtime_clock},
    Claim{"io_uring_prep_timeout(3), ERRORS", "two clocks: EINVAL", "BOOTTIME and REALTIME",
          Verdict::holds, two_clocks},
    Claim{"io_uring_prep_timeout(3), ERRORS", "negative seconds: EINVAL", "-1 s", Verdict::holds,
          negative_time},
    Claim{"io_uring_prep_timeout(3), ERRORS", "a time that cannot be read: EFAULT",
          "a null pointer", Verdict::holds, bad_address},
    Claim{"io_uring_prep_timeout_update(3), ERRORS", "a removal that finds nothing: ENOENT",
          "an unused user_data", Verdict::holds, remove_finds_nothing},
    Claim{"io_uring_prep_timeout(3), ERRORS", "a removed timeout answers ECANCELED",
          "1: 5 s, 2: its removal", Verdict::holds, removed_is_canceled},
    Claim{"io_uring_prep_timeout_update(3)", "an update gives it another time",
          "1: 5 s, 2: update to 5 ms", Verdict::holds, update_shortens},
    Claim{"io_uring_prep_timeout(3)", "ETIME_SUCCESS: an expired timeout does not break a link",
          "1: 5 ms with it, linked, 2: NOP", Verdict::holds, etime_success_keeps_the_link},
    Claim{"io_uring_prep_timeout(3)", "without it, an expired timeout breaks the link",
          "1: 5 ms, linked, 2: NOP", Verdict::holds, expiry_breaks_the_link},
    Claim{"io_uring_prep_timeout(3)", "MULTISHOT repeats count times, F_MORE but on the last",
          "count 3", Verdict::holds, multishot_repeats, has_multishot},
    Claim{"io_uring_enter(2), CQE ERRORS", "MULTISHOT together with ABS: EINVAL", "both",
          Verdict::holds, multishot_absolute, has_multishot},
    Claim{"io_uring_enter(2), EXT_ARG", "a wait with a limit ends after it (ETIME)",
          "20 ms on an empty ring", Verdict::holds, wait_ends_after_its_limit},
};

}  // namespace

std::span<const Claim> timeout_claims() { return table; }

}  // namespace claims
