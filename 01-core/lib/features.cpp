#include "01-core/lib/features.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "01-core/lib/feature_trial.hpp"

namespace lab {

namespace {

constexpr std::array<FeatureInfo, static_cast<std::size_t>(Feature::count)> infos{{
    {"ring", "6.1", "completions are made when the loop asks for them", true},
    {"file-table", "5.19", "connections without file descriptors", true},
    {"buffer-ring", "5.19", "the kernel picks the receive buffer", true},
    {"accept-direct", "5.19", "one SQE accepts many connections", true},
    {"recv-multishot", "6.0", "one SQE receives many times", true},
    {"cancel", "5.5", "pausing and closing", true},
    {"send-zero-copy", "6.0", "without it every send is a copy", false},
    {"registered-fd", "5.18", "saves a file lookup a system call", false},
    {"message-ring", "5.18", "Mailbox", false},
    {"zero-copy-report", "6.2", "without it --zero-copy auto sends plainly", false},
    {"timer-multishot", "6.4", "without it the tick is armed again each time", false},
    {"no-sqarray", "6.6", "one indirection less", false},
    {"slot-options", "6.7", "reset at the deadline; without it TCP_USER_TIMEOUT alone", false},
    {"install-fd", "6.8", "not used by the server", false},
    {"recv-retry-limit", "6.12", "without it receives are one-shot while a send is due", false},
    {"slot-release", "6.13", "without it a shutdown precedes each close, receives are renewed",
     false},
    {"recv-total", "6.17", "without it one burst may take more buffers than meant", false},
    {"recv-bundle", "6.10", "streams: several buffers a completion; used with recv-total", false},
    {"incremental-buffers", "6.12", "not used by the server", false},
    {"min-wait", "6.12", "not used by the server", false},
}};

// Since Linux 6.6; 0 where there is no such switch.
unsigned io_uring_disabled() {
  unsigned value = 0;
  std::ifstream("/proc/sys/kernel/io_uring_disabled") >> value;
  return value;
}

}  // namespace

Features Features::detect() {
  Features features;
  for (std::size_t index = 0; index < features.errors_.size(); ++index) {
    features.errors_[index] = try_feature(static_cast<Feature>(index));
  }
  return features;
}

Feature Features::missing() const noexcept {
  for (std::size_t index = 0; index < errors_.size(); ++index) {
    if (infos[index].required && errors_[index] != 0) return static_cast<Feature>(index);
  }
  return Feature::count;
}

const FeatureInfo& Features::info(Feature feature) noexcept {
  return infos[static_cast<std::size_t>(feature)];
}

std::string explain_setup_error(int error) {
  switch (error) {
    case ENOSYS:
      return "this kernel has no io_uring, or a sandbox hides it. Cure: Linux 6.1 or newer; "
             "outside of "
             "such a sandbox (gVisor and others do not have it)";
    case EACCES:
    case EPERM:
      if (const unsigned disabled = io_uring_disabled(); disabled != 0) {
        return fmt::format(
            "kernel.io_uring_disabled is {} and forbids io_uring to this user. Cure: sysctl "
            "kernel.io_uring_disabled=0",
            disabled);
      }
      return "a sandbox forbids io_uring (kernel.io_uring_disabled does not). Cure: in a "
             "container, "
             "a seccomp profile that allows io_uring_setup, io_uring_enter and io_uring_register "
             "(Docker's default does not)";
    case ENOMEM:
      return "the ring's memory is more than this user may lock. Cure: raise ulimit -l";
    case EINVAL:
      return fmt::format(
          "this kernel ({}) does not know the set-up flags DEFER_TASKRUN and SINGLE_ISSUER. Cure: "
          "Linux 6.1 or newer",
          kernel_release());
    case EMFILE:
    case ENFILE:
      return "no file descriptor is left. Cure: raise ulimit -n";
    default:
      return fmt::format("io_uring_setup failed: {}", std::strerror(error));
  }
}

std::string kernel_release() {
  utsname name{};
  return uname(&name) == 0 ? name.release : "unknown";
}

}  // namespace lab
