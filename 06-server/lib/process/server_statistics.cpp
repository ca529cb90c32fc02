#include "06-server/lib/process/server_statistics.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "06-server/lib/process/server_report.hpp"

namespace lab {

namespace {

constexpr std::size_t json_waiting_max = 256 << 10;  // bytes
constexpr std::size_t json_worker_max = 2048;  // the longest that one worker adds to an object

std::uint64_t value(const StatValues& values, Stat stat) noexcept {
  return values[static_cast<std::size_t>(stat)];
}

// O_NONBLOCK, or a FIFO without a reader would never come back from open(). It is not truncated:
// this may yet turn out to be a second server on the same port, with the same file.
Fd open_file(const std::string& path) {
  Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0666));
  if (!fd) {
    throw std::system_error(
        errno, std::generic_category(),
        "--stats-json " + path +
            (errno == ENXIO ? " (nobody reads it yet; start the reader first)" : ""));
  }
  return fd;
}

}  // namespace

ServerStatistics::ServerStatistics(Ring& ring, unsigned workers, const std::string& json_file)
    : workers_(workers),
      json_file_(json_file),
      shared_(workers),
      retired_(workers),
      lost_(workers) {
  if (json_file.empty()) return;
  if (json_file != "-") file_ = open_file(json_file);
  json_.emplace(ring, file_ ? file_.get() : STDOUT_FILENO,
                std::max(json_waiting_max, 2 * json_worker_max * (workers + 1)));
}

void ServerStatistics::begin(std::uint64_t now_ns) {
  struct stat status {};
  if (file_ && fstat(file_.get(), &status) == 0 && S_ISREG(status.st_mode) &&
      ftruncate(file_.get(), 0) != 0) {
    throw std::system_error(errno, std::generic_category(), "--stats-json " + json_file_);
  }
  start_ns_ = reported_ns_ = now_ns;
}

void ServerStatistics::retire(unsigned worker) {
  StatValues& all = retired_[worker];
  all = values(worker);
  shared_.clear(worker);
  std::uint64_t& closed = all[static_cast<std::size_t>(Stat::closed)];
  lost_[worker] = value(all, Stat::accepted) - std::min(closed, value(all, Stat::accepted));
  closed = value(all, Stat::accepted);
}

void ServerStatistics::report_interval(ServerLog& log, std::uint64_t now_ns, bool asked) {
  const std::vector<StatValues> workers = all();
  const StatValues total = sum(workers);
  const StatValues growth = difference(total, reported_);
  if (asked || value(growth, Stat::receives) != 0 || value(growth, Stat::accepted) != 0 ||
      value(growth, Stat::closed) != 0) {
    log("{}", describe(total, growth, static_cast<double>(now_ns - reported_ns_) / 1e9));
  }
  reported_ = total;
  reported_ns_ = now_ns;
  write_json(workers, now_ns);
  report_losses(log);
}

void ServerStatistics::report_summary(ServerLog& log, std::uint64_t now_ns) {
  const std::vector<StatValues> workers = all();
  for (std::size_t index = 0; workers.size() > 1 && index < workers.size(); ++index) {
    log("worker {}: {} accepted | {}", index, value(workers[index], Stat::accepted),
        describe(workers[index], workers[index], seconds(now_ns)));
  }
  const StatValues total = sum(workers);
  log("in {:.1f} s: {} accepted | {}", seconds(now_ns), value(total, Stat::accepted),
      describe(total, total, seconds(now_ns)));
  write_json(workers, now_ns);
}

std::uint64_t ServerStatistics::drain_resets() const {
  return value(sum(all()), Stat::drain_resets);
}

void ServerStatistics::close() noexcept {
  if (json_) json_->close();
}

void ServerStatistics::report_losses(ServerLog& log) {
  if (!json_ || json_->lost() == 0 || losses_told_) return;
  losses_told_ = true;
  log("--stats-json {}: statistics are lost: {}", json_file_,
      json_->error() != 0 ? std::strerror(json_->error()) : "nobody reads them");
}

StatValues ServerStatistics::values(unsigned worker) const {
  const StatValues both[] = {retired_[worker], shared_[worker].read()};
  return sum(both);
}

std::vector<StatValues> ServerStatistics::all() const {
  std::vector<StatValues> workers;
  for (unsigned index = 0; index < workers_; ++index) workers.push_back(values(index));
  return workers;
}

void ServerStatistics::write_json(const std::vector<StatValues>& workers, std::uint64_t now_ns) {
  if (json_) json_->write(to_json(workers, seconds(now_ns)) + "\n");
}

}  // namespace lab
