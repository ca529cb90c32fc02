// shows: the refusals of docs/limits.md: EPERM from a filter of system calls, ENOMEM from
// memlock needs: Linux 5.1; run as root it goes on as "nobody", for whom the limit counts try:
// build/release/bin/limits-refused, then ./lab doctor
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <vector>

#include "01-core/lesson.hpp"

namespace {

constexpr std::size_t memory_size = 1 << 20;
constexpr rlim_t small_limit = 64 << 10;

const char* in_words(int res) { return res < 0 ? std::strerror(-res) : "works"; }

// A filter and a changed user are for good, so each part runs in a process of its own.
template <class Part>
void in_a_child(Part part) {
  std::fflush(stdout);
  const pid_t child = lab::need_errno(fork(), "fork");
  if (child == 0) {
    part();
    std::fflush(stdout);
    _exit(0);
  }
  int status = 0;
  lab::need_errno(waitpid(child, &status, 0), "waitpid");
  if (status != 0) lab::fail("a part ended early");
}

int make_ring() {
  io_uring ring;
  const int res = io_uring_queue_init(8, &ring, 0);
  if (res == 0) io_uring_queue_exit(&ring);
  return res;
}

int submit() {
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  io_uring_prep_nop(io_uring_get_sqe(&ring));
  const int res = io_uring_submit(&ring);
  io_uring_queue_exit(&ring);
  return res;
}

// What a container's filter does, for these calls only: they fail before the kernel's own code.
// The three of io_uring have numbers in a row: setup, enter, register.
void refuse(unsigned first, unsigned last) {
  const auto number = static_cast<__u32>(offsetof(seccomp_data, nr));
  sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, number),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, first, 0, 2),
      BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, last, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{.len = sizeof rules / sizeof rules[0], .filter = rules};
  lab::need_errno(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS");
  lab::need_errno(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), "PR_SET_SECCOMP");
}

int register_memory() {
  io_uring ring;
  lab::need(io_uring_queue_init(1, &ring, 0), "io_uring_queue_init");
  std::vector<char> memory(memory_size);
  const iovec buffer{.iov_base = memory.data(), .iov_len = memory.size()};
  const int res = io_uring_register_buffers(&ring, &buffer, 1);
  io_uring_queue_exit(&ring);
  return res;
}

void set_limit(rlim_t soft) {
  rlimit limit{};
  lab::need_errno(getrlimit(RLIMIT_MEMLOCK, &limit), "getrlimit");
  limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
  lab::need_errno(setrlimit(RLIMIT_MEMLOCK, &limit), "setrlimit");
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  std::printf("no filter, a ring: %s\n", in_words(make_ring()));
  in_a_child([] {
    refuse(SYS_io_uring_setup, SYS_io_uring_register);
    std::printf("a filter as in a container, a ring: %s\n", in_words(make_ring()));
  });
  in_a_child([] {
    refuse(SYS_io_uring_enter, SYS_io_uring_enter);
    std::printf("a filter that forgets io_uring_enter, a ring: %s\n", in_words(make_ring()));
    std::printf("its first submission: %s\n", in_words(submit()));
  });
  in_a_child([] {
    // Root's CAP_IPC_LOCK exempts from the limit.
    if (getuid() == 0) lab::need_errno(setresuid(65534, 65534, 65534), "setresuid");
    set_limit(small_limit);
    std::printf("memlock 64 KiB, registering 1 MiB: %s\n", in_words(register_memory()));
    set_limit(RLIM_INFINITY);
    std::printf("memlock as high as allowed, registering 1 MiB: %s\n", in_words(register_memory()));
  });
  return lab::ok();
}
