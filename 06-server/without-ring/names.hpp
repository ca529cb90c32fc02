// In front of every source of a build without io_uring: names that POSIX.1-2024 or most systems
// have, for those that lack one of them. Each stands for less than the real one does, and says how
// much less.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#ifdef LAB_REFUSE_LINUX
#include "06-server/without-ring/refused.hpp"
#endif

// The servers execute no program that could inherit a descriptor.
#ifndef SOCK_CLOEXEC
#define SOCK_CLOEXEC 0
#endif
#ifndef MSG_CMSG_CLOEXEC
#define MSG_CMSG_CLOEXEC 0
#endif
// SIGPIPE is ignored by all of them.
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

// macOS calls them differently.
#if defined(__APPLE__) && !defined(st_mtim)
#define st_mtim st_mtimespec
#define st_ctim st_ctimespec
#endif
