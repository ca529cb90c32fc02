#include "06-server/http-server/access_log_command.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <utility>

#include "01-core/lib/check.hpp"
#include "06-server/lib/limits/address_rules.hpp"
#include "06-server/lib/os/always_readable.hpp"
#include "06-server/lib/process/explain.hpp"
#include "06-server/lib/protocol/http/http_counters.hpp"

namespace lab {

namespace {

Fd duplicate(int fd) {
  return Fd(check_errno(fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), "dup of the access log"));
}

mode_t type_of(const Fd& fd) {
  struct stat status {};
  check_errno(fstat(fd.get(), &status), "fstat of the access log");
  return status.st_mode & S_IFMT;
}

[[noreturn]] void refuse(const std::string& path, int error) {
  const std::string name = "--access-log: '" + path + "' ";
  switch (error) {
    case ENOENT:
      throw std::runtime_error(name + "is in no folder that there is. Cure: make the folder");
    case EACCES:
      throw std::runtime_error(name + "may not be written. Cure: a file that this user may write");
    case ENOTDIR:
      throw std::runtime_error(name +
                               "goes through something that is no folder. Cure: DIR/FILE, where "
                               "DIR is a folder");
    case EISDIR:
      throw std::runtime_error(name + "is a folder. Cure: name a file in it");
    case ENXIO:
      throw std::runtime_error(name + "is a socket. Cure: a file, a FIFO, or - for stdout");
    default:
      throw std::runtime_error(name + "cannot be opened: " + std::strerror(error) +
                               ". Cure: another file, or - for stdout");
  }
}

Fd open_stdout() {
  Fd fd = duplicate(STDOUT_FILENO);
  if (type_of(fd) != S_IFREG) return fd;
  // Workers share its position, which only a write at the end does not need.
  const int flags = check_errno(fcntl(fd.get(), F_GETFL), "fcntl of standard output");
  check_errno(fcntl(fd.get(), F_SETFL, flags | O_APPEND), "O_APPEND on standard output");
  return fd;
}

// Never waits: a FIFO needs no reader. It keeps as much as a pipe holds until one comes, and stays
// when one goes, for it is open in both directions: fifo(7).
Fd open_log(const std::string& path) {
  if (path == "-") return open_stdout();
  constexpr int flags = O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  constexpr mode_t mode = 0640;  // addresses of people are in it
  Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | flags, mode));
  const int error = errno;
  struct stat status {};
  const bool fifo = stat(path.c_str(), &status) == 0 && S_ISFIFO(status.st_mode);
  if (fifo) fd = Fd(open(path.c_str(), O_RDWR | flags));
  if (!fd) refuse(path, fifo ? errno : error);
  if (type_of(fd) == S_IFREG) {
    check_errno(fcntl(fd.get(), F_SETFL, O_APPEND), "fcntl of the access log");
  }
  return fd;
}

}  // namespace

AccessLogCommand::AccessLogCommand(ServerCommand& command, const CounterPlace& counters)
    : command_(command), counters_(counters) {
  CommandLine& line = command.line();
  const std::string group = "Access log";
  line.add_option("--access-log", path_,
                  "A line for each answer goes there; - is standard output. Never waited for: what "
                  "cannot be written in time is lost and counted. SIGUSR1 opens the file anew, so "
                  "rename it, then send that")
      .type_name("FILE")
      .check(not_empty())
      .group(group);
  line.add_choice("--access-log-format", options_.format,
                  {{"common", LogFormat::common},
                   {"combined", LogFormat::combined},
                   {"json", LogFormat::json}},
                  "common, the same with Referer and User-Agent, or an object a line")
      .default_str("combined")
      .group(group);
  line.add_option("--trusted-proxy", trusted_words_,
                  "A network of your proxies: a client that comes through one is whom its "
                  "X-Forwarded-For names, from the right the first that is no proxy. May be given "
                  "again")
      .type_name("CIDR")
      .allow_extra_args(false)
      .group(group);
}

void AccessLogCommand::start() {
  if (const std::string wrong = complaint(); !wrong.empty()) command_.refuse(wrong);
  if (!wanted()) return;
  command_.require_io_uring("write --access-log");
  for (const std::string& word : trusted_words_) {
    const std::string wrong = parse_network(word, options_.trusted.emplace_back());
    if (!wrong.empty()) command_.refuse("--trusted-proxy: " + wrong);
  }
  if (path_ == "-") command_.use_stdout("--access-log");
  kept_open_ = &command_.kept_open();
  try {
    always_readable_ = always_readable();
    use(open_log(path_));
  } catch (const std::exception& error) {
    command_.fail(explain(error));
  }
  if (path_ != "-") command_.reload_with(reload());
  command_.want_peer_addresses();
  const std::string name = path_ == "-" ? "standard output" : "'" + path_ + "'";
  const auto tell = [&](LineLoss loss, const std::string& why) {
    command_.alarm({.counter = counters_.first + HttpCounters::place_of(loss),
                    .what = "lines of the access log are lost",
                    .why = why});
  };
  tell(LineLoss::slow,
       name + " takes fewer than there are. Cure: a reader that reads, a faster disk");
  tell(LineLoss::full, "no space for " + name + ". Cure: make some; then lines are written again");
  tell(LineLoss::failed, name + " cannot be written; whoever read it may be gone");
}

// What is wrong with the options together; empty: nothing.
std::string AccessLogCommand::complaint() const {
  if (wanted()) return {};
  const char* const alone = !trusted_words_.empty() ? "--trusted-proxy"
                            : command_.line().count("--access-log-format") > 0
                                ? "--access-log-format"
                                : nullptr;
  if (alone == nullptr) return {};
  return std::string(alone) + ": there is no access log. Cure: --access-log FILE, or - for stdout";
}

Fd AccessLogCommand::descriptor() const { return duplicate(current_.get()); }

void AccessLogCommand::use(Fd fd) {
  current_ = std::move(fd);
  *kept_open_ = {current_.get()};
}

Reload AccessLogCommand::reload() noexcept {
  static constexpr auto self = [](void* context) -> AccessLogCommand& {
    return *static_cast<AccessLogCommand*>(context);
  };
  Reload steps;
  steps.kind = Reload::Kind::access_log;
  steps.signal = SIGUSR1;
  steps.context = this;
  steps.begin = [](void* context) {
    self(context).next_ = open_log(self(context).path_);
    return self(context).always_readable_.get();
  };
  steps.finish = [](void* context) {
    self(context).use(std::move(self(context).next_));
    return "access log opened anew: " + self(context).path_;
  };
  steps.parcel = [](void* context) { return self(context).descriptor(); };
  return steps;
}

}  // namespace lab
