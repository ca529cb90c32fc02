// For the check that a build without io_uring needs nothing of Linux: what POSIX.1-2024 does not
// have is taken away from the sources behind this. See tests/portable/without_linux.py, which
// refuses headers as well.
//
// The C library's and the C++ library's own headers may say these names, so they come first.
#pragma once

#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <atomic>
#include <csignal>
#include <ctime>
#include <thread>

// Sources that ask with #ifdef whether the system has them do without.
#undef CLOCK_BOOTTIME
#undef CLOCK_REALTIME_COARSE
#undef EBADR
#undef ETIME
#undef F_ADD_SEALS
#undef MADV_DONTDUMP
#undef MAP_POPULATE
#undef MSG_CMSG_CLOEXEC
#undef MSG_NOSIGNAL
#undef SOCK_CLOEXEC
#undef SOCK_NONBLOCK
#undef TCP_CONGESTION
#undef TCP_DEFER_ACCEPT
#undef TCP_NOTSENT_LOWAT
#undef TCP_USER_TIMEOUT

// Sources that say one of these do not compile. A macro has to go before its name can.
#undef MADV_DONTFORK
#undef MADV_HUGEPAGE
#undef MAP_HUGETLB
#undef O_PATH
#undef O_TMPFILE
#undef SO_INCOMING_CPU
#undef TCP_INFO
#undef TCP_QUICKACK
#pragma GCC poison accept4 close_range copy_file_range cpu_set_t dup3 epoll_create1 epoll_ctl
#pragma GCC poison epoll_wait eventfd fallocate getrandom gettid inotify_add_watch inotify_init1
#pragma GCC poison memfd_create mremap pidfd_open pipe2 prctl pthread_setaffinity_np recvmmsg
#pragma GCC poison renameat2 sched_getaffinity sched_setaffinity sendmmsg signalfd
#pragma GCC poison signalfd_siginfo statx syscall tcp_info timerfd_create timerfd_settime
#pragma GCC poison MADV_DONTFORK MADV_HUGEPAGE MAP_HUGETLB O_PATH O_TMPFILE SO_INCOMING_CPU
#pragma GCC poison TCP_INFO TCP_QUICKACK
