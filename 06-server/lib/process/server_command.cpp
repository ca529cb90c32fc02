#include "06-server/lib/process/server_command.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <stdexcept>

#include "01-core/standard_fds.hpp"
#include "05-performance/bench/say.hpp"
#include "06-server/lib/limits/limit_counters.hpp"
#include "06-server/lib/os/available_memory.hpp"
#include "06-server/lib/process/explain.hpp"
#include "06-server/lib/process/server_checks.hpp"
#include "06-server/lib/process/server_description.hpp"
#include "06-server/lib/process/server_signals.hpp"
#include "06-server/lib/process/supervisor.hpp"
#include "06-server/lib/process/topology_flags.hpp"

namespace lab {

namespace {

enum Exit : int { exit_failed = 1, exit_wrong_use = 2 };

#ifdef LAB_WITHOUT_IO_URING
constexpr const char* build_words =
    "\n\nThis program was built without io_uring: libuv moves the bytes, nobody is pinned, and "
    "what is said here of io_uring, ringload, --zero-copy, --steer cpu and reactors is not there.";
#else
constexpr const char* build_words = "";
#endif

std::string signals_and_codes(const ServerCommand::About& about) {
  const std::string first =
      about.on_hangup == nullptr
          ? "SIGTERM, SIGINT, SIGHUP and SIGQUIT drain."
          : std::string("SIGTERM, SIGINT and SIGQUIT drain. ") + about.on_hangup;
  return "\n\n" + first + " SIGUSR1 and SIGUSR2 write the statistics now" +
         (about.on_usr1 == nullptr ? "" : std::string(", and ") + about.on_usr1) +
         ".\n"
         "A listening socket that systemd passes (LISTEN_FDS) is served in place of --address and "
         "--port; NOTIFY_SOCKET and WATCHDOG_USEC are obeyed.\n"
         "Exit code: 0 drained; 1 something was not in order, which the log says; 2 wrong use.\n";
}

// A server that does without io_uring, though nobody asked for that, begins with the reason.
std::string first_line(const ServerOptions& options, const std::string& limits) {
  if (!options.worker.portable || options.backend == Backend::portable) return limits;
  return "the portable engine serves: " + options.backend_reason +
         (limits.empty() ? "" : "; " + limits);
}

bool has_descriptor(int fd) { return fcntl(fd, F_GETFD) != -1; }

std::string describe(const void* argument, const WorkerReport& report) {
  return describe_server(static_cast<const ServerCommand::WorkerArgument*>(argument)->options,
                         report);
}

}  // namespace

ServerCommand::ServerCommand(const About& about)
    : has_stdout_(has_descriptor(STDOUT_FILENO)),
      line_(about.name, about.description + build_words + signals_and_codes(about), exit_failed) {
  if (about.on_hangup != nullptr) hold_back_hangup();
  open_standard_fds();
  std::signal(SIGPIPE, SIG_IGN);  // whoever reads what is said here may be gone
  options_.supervisor.name = about.name;
  options_.supervisor.listener.port = about.port;
  line_.column_width(34);
  add_server_options(line_, options_);
}

CounterPlace ServerCommand::add_counters(std::span<const CounterInfo> infos) {
  std::vector<CounterInfo>& all = options_.supervisor.counters;
  const CounterPlace place{.first = all.size(), .size = infos.size()};
  all.insert(all.end(), infos.begin(), infos.end());
  return place;
}

void ServerCommand::parse(int argc, const char* const* argv) {
  line_.parse(argc, argv);
  try {
    check_together(line_, options_);
    if (options_.worker.limits.any())
      options_.limit_counters = add_counters(LimitCounters::infos());
    if (options_.supervisor.stats_json == "-" && !has_stdout_) {
      refuse("--stats-json: - is standard output, which is closed");
    }
    try_features(options_);
    try_topology(options_.supervisor, options_.features);
    check_memory(options_, available_memory());
  } catch (const std::invalid_argument& error) {
    refuse(error.what());
  } catch (const std::exception& error) {
    fail(explain(error));
  }
  options_.supervisor.warning = first_line(options_, fit_to_limits(options_.worker));
}

void ServerCommand::use_stdout(const std::string& option) {
  if (!has_stdout_) refuse(option + ": - is standard output, which is closed");
  if (options_.supervisor.stats_json == "-") {
    refuse(option + ": - is standard output, which --stats-json has. Cure: a file for one of them");
  }
  options_.supervisor.stdout_is_data = true;
}

void ServerCommand::refuse(const std::string& message) const {
  complain("{}: {}", options_.supervisor.name, message);
  std::exit(exit_wrong_use);
}

void ServerCommand::fail(const std::string& message) const {
  complain("{}: {}", options_.supervisor.name, message);
  std::exit(exit_failed);
}

void ServerCommand::require_io_uring(const char* what) const {
  if (!options_.worker.portable) return;
  const std::string cause = fmt::format("the portable engine does not {}", what);
  if (options_.backend_reason.empty()) {
    refuse("--backend: " + cause +
           ". Cure: --backend io_uring, which needs a kernel that allows it");
  }
  fail("cannot start: " + cause + ", and " + options_.backend_reason);
}

int ServerCommand::run(int (*worker_main)(const void*, const WorkerContext&), const void* own) {
  const WorkerArgument argument{.options = options_, .own = own};
  options_.supervisor.worker_main = {
      .function = worker_main, .argument = &argument, .descriptors = &descriptors_};
  options_.supervisor.describe = &describe;
  options_.supervisor.admin.features = &options_.features;
  try {
    return Supervisor(options_.supervisor).run();
  } catch (const std::exception& error) {
    fail(explain(error));
  }
}

}  // namespace lab
