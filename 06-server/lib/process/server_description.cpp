#include "06-server/lib/process/server_description.hpp"

#include <fmt/format.h>
#include <liburing.h>
#include <sys/utsname.h>

#include <system_error>

#include "06-server/lib/process/limit_flags.hpp"

namespace lab {

namespace {

// "Linux 6.18.1-amd64", "FreeBSD 14.1-RELEASE"
std::string system_and_release() {
  utsname name{};
  if (uname(&name) < 0) return "unknown system";
  return fmt::format("{} {}", name.sysname, name.release);
}

std::string zero_copy_text(const ServerOptions& options, const WorkerReport& report) {
  const std::string fixed =
      report.fixed_buffers ? "registered buffers"
      : report.fixed_buffers_error == 0
          ? "buffers not registered (huge pages)"
          : fmt::format("buffers not registered: {} (see ulimit -l)",
                        std::generic_category().message(report.fixed_buffers_error));
  switch (options.worker.zero_copy) {
    case ZeroCopyMode::never:
      return "zero copy never";
    case ZeroCopyMode::always:
      return "zero copy always, " + fixed;
    case ZeroCopyMode::automatic:
      break;
  }
  if (options.worker.peers_on_loopback) return "zero copy auto (off: loopback always copies)";
  if (!report.zero_copy_reports) return "zero copy auto (off: no usage report, Linux 6.2)";
  return fmt::format("zero copy auto from {} bytes, {}", options.worker.zero_copy_threshold, fixed);
}

// What was asked of io_uring, and nobody does.
std::string without_effect(const WorkerOptions& worker) {
  const bool zero_copy = worker.zero_copy == ZeroCopyMode::always;
  if (!worker.sqpoll && !zero_copy) return {};
  return fmt::format(", without effect here: {}{}{}", worker.sqpoll ? "--sqpoll" : "",
                     worker.sqpoll && zero_copy ? " and " : "", zero_copy ? "--zero-copy" : "");
}

}  // namespace

std::string describe_server(const ServerOptions& options, const WorkerReport& report) {
  const std::string limits = limits_text(options.worker.limits);
  const bool plain = options.supervisor.listener.socket_options == SocketOptions::plain;
  if (options.worker.portable) {
    return fmt::format(
        "{}: the portable engine, {}{}, {} connections a worker, {} buffers of {} bytes in "
        "{}, {} sockets{}{}{}",
        system_and_release(), report.engine,
        options.backend == Backend::portable ? " (--backend portable)" : "", report.connections_max,
        options.worker.buffer_count, options.worker.buffer_size, report.pages,
        plain ? "plain" : "tuned", without_effect(options.worker),
        limits.empty() ? "" : ", limits: ", limits);
  }
  return fmt::format(
      "Linux {}: io_uring, {}{}{}{}, {} connections a worker, {} buffers of {} bytes in {}, {}, {} "
      "sockets{}{}{}{}{}",
      kernel_release(),
      (report.setup_flags & IORING_SETUP_SQPOLL) != 0 ? "SQPOLL" : "DEFER_TASKRUN",
      (report.setup_flags & IORING_SETUP_NO_SQARRAY) != 0 ? ", NO_SQARRAY" : "",
      report.registered_ring_fd ? ", registered ring fd" : "",
      report.multishot_timer ? ", multishot tick" : "", report.connections_max,
      options.worker.buffer_count, options.worker.buffer_size, report.pages,
      zero_copy_text(options, report), plain ? "plain" : "tuned",
      report.multishot_is_fair ? "" : ", one-shot receives while a send is due",
      report.can_reset ? "" : ", no reset of slots",
      report.slot_releases ? "" : ", shutdown before close",
      limits.empty() ? "" : ", limits: ", limits);
}

}  // namespace lab
