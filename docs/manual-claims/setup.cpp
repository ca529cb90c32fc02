// Claims about io_uring_setup(2): sizes, flags, who may submit, the polling thread, memory limits.
#include <pwd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <chrono>
#include <thread>

#include "01-core/compat.hpp"
#include "docs/manual-claims/probe.hpp"

namespace claims {

namespace {

constexpr unsigned setup_sqe_mixed = 1U << 19;  // IORING_SETUP_SQE_MIXED, Linux 7.0
constexpr unsigned setup_sq_rewind = 1U << 20;  // IORING_SETUP_SQ_REWIND, Linux 7.0

Outcome sq_is_rounded_up() {
  const Probe probe(0, 5);
  return {.holds = probe.params().sq_entries >= 5,
          .seen = "asked for 5, got " + std::to_string(probe.params().sq_entries)};
}

Outcome cq_is_twice_the_sq() {
  const Probe probe(0, 16);
  return {.holds = probe.params().cq_entries == 32,
          .seen = "SQ 16, CQ " + std::to_string(probe.params().cq_entries)};
}

Outcome cq_must_be_power_of_two() {
  const Probe probe(0, 4, 10);
  return {.holds = probe.made() == -EINVAL,
          .seen = "set-up said " + name(probe.made()) + ", CQ " +
                  std::to_string(probe.params().cq_entries)};
}

Outcome cq_must_be_larger() {
  const Probe probe(0, 8, 8);
  return {.holds = probe.made() == -EINVAL, .seen = "8 and 8: " + name(probe.made())};
}

Outcome too_many_entries() { return expect(Probe(0, 100'000).made(), -EINVAL); }

Outcome clamp_cuts_entries() {
  const Probe probe(IORING_SETUP_CLAMP, 100'000);
  return {.holds = probe.made() == 0 && probe.params().sq_entries < 100'000,
          .seen = name(probe.made()) + ", SQ " + std::to_string(probe.params().sq_entries)};
}

Outcome resv_must_be_zero() {
  io_uring_params params{};
  params.resv[1] = 1;
  return expect(Probe(params).made(), -EINVAL);
}

Outcome unknown_flag() { return expect(Probe(1U << 31).made(), -EINVAL); }

Outcome defer_alone() { return expect(Probe(IORING_SETUP_DEFER_TASKRUN).made(), -EINVAL); }

Outcome taskrun_flag_alone() { return expect(Probe(IORING_SETUP_TASKRUN_FLAG).made(), -EINVAL); }

Outcome affinity_alone() { return expect(Probe(IORING_SETUP_SQ_AFF).made(), -EINVAL); }

Outcome hybrid_alone() { return expect(Probe(IORING_SETUP_HYBRID_IOPOLL).made(), -EINVAL); }
bool has_hybrid() { return takes(IORING_SETUP_IOPOLL | IORING_SETUP_HYBRID_IOPOLL); }

Outcome mixed_cqes_need_cqe32() {
  const int alone = Probe(lab::compat::setup_cqe_mixed).made();
  const int both = Probe(lab::compat::setup_cqe_mixed | IORING_SETUP_CQE32).made();
  return {.holds = alone == -EINVAL && both == 0,
          .seen = "alone " + name(alone) + ", with CQE32 " + name(both)};
}
bool has_mixed_cqes() {
  return takes(lab::compat::setup_cqe_mixed) ||
         takes(lab::compat::setup_cqe_mixed | IORING_SETUP_CQE32);
}

Outcome mixed_sqes_need_sqe128() {
  const int alone = Probe(setup_sqe_mixed).made();
  const int both = Probe(setup_sqe_mixed | IORING_SETUP_SQE128).made();
  return {.holds = alone == -EINVAL && both == 0,
          .seen = "alone " + name(alone) + ", with SQE128 " + name(both)};
}
bool has_mixed_sqes() {
  return takes(setup_sqe_mixed) || takes(setup_sqe_mixed | IORING_SETUP_SQE128);
}

// Straight to the system call: liburing adds NO_SQARRAY by itself.
int raw_setup(io_uring_params& params) {
  const long fd = syscall(SYS_io_uring_setup, 8, &params);
  return fd < 0 ? -errno : static_cast<int>(fd);
}

Outcome rewind_needs_no_sqarray() {
  io_uring_params params{};
  params.flags = setup_sq_rewind;
  const int fd = raw_setup(params);
  if (fd >= 0) close(fd);
  return expect(fd < 0 ? fd : 0, -EINVAL);
}
bool has_rewind() { return takes(setup_sq_rewind | IORING_SETUP_NO_SQARRAY); }

/// A ring in our own memory, with these flags beside NO_MMAP; 0 or -errno. It ends with the
/// process.
int own_memory_ring(unsigned flags) {
  const auto map = [] {
    return mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_SHARED | MAP_POPULATE,
                -1, 0);
  };
  void* queues = map();
  void* sqes = map();
  io_uring_params params{};
  params.flags = IORING_SETUP_NO_MMAP | flags;
  params.cq_off.user_addr = reinterpret_cast<std::uint64_t>(queues);
  params.sq_off.user_addr = reinterpret_cast<std::uint64_t>(sqes);
  const int fd = raw_setup(params);
  const bool registered = (flags & IORING_SETUP_REGISTERED_FD_ONLY) != 0;
  if (fd >= 0 && registered) {
    io_uring_rsrc_update index{};
    index.offset = static_cast<unsigned>(fd);
    syscall(SYS_io_uring_register, fd,
            IORING_UNREGISTER_RING_FDS | IORING_REGISTER_USE_REGISTERED_RING, &index, 1);
  }
  if (fd >= 0 && !registered) close(fd);
  munmap(queues, 4096);
  munmap(sqes, 4096);
  return fd < 0 ? fd : 0;
}
bool has_no_mmap() { return own_memory_ring(0) == 0; }

Outcome registered_only_needs_no_mmap() {
  io_uring_params params{};
  params.flags = IORING_SETUP_REGISTERED_FD_ONLY;
  const int fd = raw_setup(params);
  if (fd >= 0) close(fd);
  return expect(fd < 0 ? fd : 0, -EINVAL);
}

Outcome registered_only_needs_no_sqarray() {
  const int res = own_memory_ring(IORING_SETUP_REGISTERED_FD_ONLY);
  return {.holds = res < 0, .seen = "without NO_SQARRAY: " + name(res)};
}

Outcome attach_to_no_ring() {
  const Ends ends(Ends::Kind::pipe);
  io_uring_params params{};
  params.flags = IORING_SETUP_ATTACH_WQ;
  params.wq_fd = static_cast<unsigned>(ends.read_end());
  return expect(Probe(params).made(), -ENXIO);
}

Outcome disabled_ring_refuses() {
  Probe probe(IORING_SETUP_R_DISABLED);
  probe.nop(1);
  return expect(probe.submit(), -EBADFD);
}

Outcome default_ring_does_not_drop() {
  Probe probe(0, 4, 4);
  for (unsigned i = 0; i < 20; ++i) {
    probe.nop(i);
    probe.submit();
  }
  const std::vector<Answer> all = probe.answers(20, 200);
  return {.holds = all.size() == 20, .seen = std::to_string(all.size()) + " of 20 came"};
}

int submitted_by_another_thread(Probe& probe) {
  int res = 0;
  std::thread([&] {
    probe.nop(1);
    res = probe.submit();
  }).join();
  return res;
}

Outcome issuer_is_the_creator() {
  Probe probe(IORING_SETUP_SINGLE_ISSUER);
  return expect(submitted_by_another_thread(probe), -EEXIST);
}

Outcome issuer_is_the_first_submitter() {
  Probe probe(IORING_SETUP_SINGLE_ISSUER);
  const int res = submitted_by_another_thread(probe);
  return {.holds = res == 1, .seen = "another thread is the first to submit: " + name(res)};
}

Outcome issuer_is_who_enables() {
  Probe probe(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_R_DISABLED);
  int res = 0;
  std::thread([&] {
    io_uring_enable_rings(probe.ring());
    probe.nop(1);
    res = probe.submit();
  }).join();
  probe.nop(2);
  const int ours = probe.submit();
  return {.holds = res == 1 && ours == -EEXIST,
          .seen = "the enabling thread " + name(res) + ", the creator " + name(ours)};
}

bool sleeps_within(Probe& probe, int ms) {
  for (int i = 0; i < ms / 10; ++i) {
    if ((IO_URING_READ_ONCE(*probe.ring()->sq.kflags) & IORING_SQ_NEED_WAKEUP) != 0) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

Outcome idle_zero_never_sleeps() {
  Probe probe(IORING_SETUP_SQPOLL);
  probe.nop(1);
  probe.submit_and_answers(1);
  const bool slept = sleeps_within(probe, 5000);
  return {.holds = !slept, .seen = slept ? "it slept within 5 s" : "it was awake after 5 s"};
}

Outcome idle_time_then_sleep() {
  io_uring_params params{};
  params.flags = IORING_SETUP_SQPOLL;
  params.sq_thread_idle = 10;
  Probe probe(params);
  probe.nop(1);
  probe.submit_and_answers(1);
  const bool slept = sleeps_within(probe, 5000);
  return {.holds = slept, .seen = slept ? "it slept" : "it was awake after 5 s"};
}

/// What `attempt` returns as an ordinary user who may lock 64 KiB; -EAGAIN where that fails.
int as_ordinary_user(int (*attempt)()) {
  const pid_t child = fork();
  if (child == 0) {
    const rlimit limit{.rlim_cur = 64 * 1024, .rlim_max = 64 * 1024};
    const bool changed = setrlimit(RLIMIT_MEMLOCK, &limit) == 0 &&
                         (geteuid() != 0 || (setgid(65534) == 0 && setuid(65534) == 0));
    _exit(changed ? -attempt() : EAGAIN);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return -WEXITSTATUS(status);
}

Outcome ring_memory_is_free() {
  const int res = as_ordinary_user([] { return Probe(0, 4096).made(); });
  return {.holds = res == 0, .seen = "a ring of 4096 entries: " + name(res)};
}

Outcome buffers_are_not_charged() {
  const int res = as_ordinary_user([] {
    Probe probe(0, 2);
    if (probe.made() != 0) return -EAGAIN;
    std::vector<char> bytes(256 * 1024);
    const iovec buffer{.iov_base = bytes.data(), .iov_len = bytes.size()};
    return io_uring_register_buffers(probe.ring(), &buffer, 1);
  });
  return {.holds = res == 0, .seen = "a buffer of 256 KiB: " + name(res)};
}

constexpr std::array table{
    Claim{"io_uring_setup(2)", "a ring has at least as many SQEs as asked for", "a ring of 5",
          Verdict::holds, sq_is_rounded_up},
    Claim{"io_uring_setup_flags(7), CQSIZE", "without CQSIZE the CQ is twice as large as the SQ",
          "a ring of 16", Verdict::holds, cq_is_twice_the_sq},
    Claim{"io_uring_setup_flags(7), CQSIZE", "cq_entries must be a power of two", "cq_entries 10",
          Verdict::does_not_hold, cq_must_be_power_of_two},
    Claim{"io_uring_setup(2), CQSIZE", "cq_entries must be greater than entries",
          "8 entries and 8 cq_entries", Verdict::does_not_hold, cq_must_be_larger},
    Claim{"io_uring_setup(2), ERRORS", "entries out of bounds: EINVAL", "100,000 entries",
          Verdict::holds, too_many_entries},
    Claim{"io_uring_setup(2), CLAMP", "CLAMP cuts entries to the maximum instead of failing",
          "100,000 entries with CLAMP", Verdict::holds, clamp_cuts_entries},
    Claim{"io_uring_setup(2), ERRORS", "a reserved field that is not zero: EINVAL", "resv[1] = 1",
          Verdict::holds, resv_must_be_zero},
    Claim{"io_uring_setup(2), ERRORS", "an unsupported flag: EINVAL", "flag 1 << 31",
          Verdict::holds, unknown_flag},
    Claim{"io_uring_setup(2), DEFER_TASKRUN", "DEFER_TASKRUN requires SINGLE_ISSUER", "it alone",
          Verdict::holds, defer_alone},
    Claim{"io_uring_setup(2), TASKRUN_FLAG", "TASKRUN_FLAG goes with COOP or DEFER_TASKRUN",
          "it alone", Verdict::holds, taskrun_flag_alone},
    Claim{"io_uring_setup(2), ERRORS", "SQ_AFF without SQPOLL: EINVAL", "it alone", Verdict::holds,
          affinity_alone},
    Claim{"io_uring_setup(2), HYBRID_IOPOLL", "HYBRID_IOPOLL must be used with IOPOLL", "it alone",
          Verdict::holds, hybrid_alone, has_hybrid},
    Claim{"io_uring_setup_flags(7), CQE_MIXED", "CQE_MIXED requires CQE32",
          "it alone, and with CQE32", Verdict::does_not_hold, mixed_cqes_need_cqe32,
          has_mixed_cqes},
    Claim{"io_uring_setup_flags(7), SQE_MIXED", "SQE_MIXED requires SQE128",
          "it alone, and with SQE128", Verdict::does_not_hold, mixed_sqes_need_sqe128,
          has_mixed_sqes},
    Claim{"io_uring_setup(2), SQ_REWIND", "SQ_REWIND requires NO_SQARRAY", "it alone",
          Verdict::holds, rewind_needs_no_sqarray, has_rewind},
    Claim{"io_uring_setup(2), ERRORS", "REGISTERED_FD_ONLY without NO_MMAP: EINVAL", "it alone",
          Verdict::holds, registered_only_needs_no_mmap, has_no_mmap},
    Claim{"io_uring_setup_flags(7), NO_SQARRAY", "REGISTERED_FD_ONLY requires NO_SQARRAY",
          "REGISTERED_FD_ONLY and NO_MMAP", Verdict::does_not_hold,
          registered_only_needs_no_sqarray, has_no_mmap},
    Claim{"io_uring_setup(2), ERRORS", "ATTACH_WQ with an fd that is no ring: ENXIO",
          "wq_fd is a pipe", Verdict::does_not_hold, attach_to_no_ring},
    Claim{"io_uring_setup(2), R_DISABLED", "a disabled ring takes no submissions (EBADFD)",
          "a submit before enabling", Verdict::holds, disabled_ring_refuses},
    Claim{"io_uring_setup(2), FEAT_NODROP", "completions that find no room are kept",
          "20 NOPs into a CQ of 4, read afterwards", Verdict::holds, default_ring_does_not_drop},
    Claim{"io_uring_setup(2), SINGLE_ISSUER", "the issuer is the task that made the ring (EEXIST)",
          "another thread submits", Verdict::holds, issuer_is_the_creator},
    Claim{"io_uring_setup_flags(7), SINGLE_ISSUER", "the issuer is the first task that submits",
          "another thread submits first", Verdict::does_not_hold, issuer_is_the_first_submitter},
    Claim{"io_uring_setup(2), SINGLE_ISSUER", "with R_DISABLED it is the task that enables it",
          "a thread enables and submits, then the creator submits", Verdict::holds,
          issuer_is_who_enables},
    Claim{"io_uring_sqpoll(7)", "sq_thread_idle 0: the polling thread never sleeps",
          "a ring with 0, watched for 5 s", Verdict::does_not_hold, idle_zero_never_sleeps},
    Claim{"io_uring_sqpoll(7)", "after sq_thread_idle ms without work the thread sleeps",
          "a ring with 10 ms", Verdict::holds, idle_time_then_sleep},
    Claim{"io_uring_registered_buffers(7)", "since 5.12 no memlock limit applies to buffers",
          "an ordinary user with 64 KiB registers 256 KiB", Verdict::does_not_hold,
          buffers_are_not_charged},
    Claim{"io_uring_mlock_size(3)", "since 5.12 a ring needs no locked memory",
          "an ordinary user with 64 KiB makes a ring of 4096", Verdict::does_not_hold,
          ring_memory_is_free, nullptr, "6.1 6.12 7.2"},
};

}  // namespace

std::span<const Claim> setup_claims() { return table; }

}  // namespace claims
