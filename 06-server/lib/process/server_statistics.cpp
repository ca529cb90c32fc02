#include "06-server/lib/process/server_statistics.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace lab {

namespace {

constexpr std::size_t json_waiting_max = 256 << 10;  // bytes

std::uint64_t value(const CounterValues& values, Stat stat) noexcept {
  return values[static_cast<std::size_t>(stat)];
}

std::vector<CounterInfo> all_infos(std::span<const CounterInfo> own) {
  std::vector<CounterInfo> infos(stat_infos().begin(), stat_infos().end());
  infos.insert(infos.end(), own.begin(), own.end());
  return infos;
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

ServerStatistics::ServerStatistics(Ring& ring, const ProcessLayout& layout,
                                   std::span<const CounterInfo> own, const std::string& json_file)
    : layout_(layout),
      json_file_(json_file),
      infos_(all_infos(own)),
      shared_(layout.blocks(), own.size()),
      lost_(layout.processes()),
      reported_(infos_.size()) {
  if (json_file.empty()) return;
  if (json_file != "-") file_ = open_file(json_file);
  json_.emplace(ring, file_ ? file_.get() : STDOUT_FILENO,
                std::max(json_waiting_max, 2 * json_size_max(infos_, layout.blocks())));
}

void ServerStatistics::begin(std::uint64_t now_ns) {
  struct stat status {};
  if (file_ && fstat(file_.get(), &status) == 0 && S_ISREG(status.st_mode) &&
      ftruncate(file_.get(), 0) != 0) {
    throw std::system_error(errno, std::generic_category(), "--stats-json " + json_file_);
  }
  start_ns_ = reported_ns_ = now_ns;
}

// Until the next process is there, nobody else writes to its blocks.
void ServerStatistics::retire(unsigned process) {
  lost_[process] = 0;
  for (unsigned block = layout_.first_block(process); block < layout_.end_block(process); ++block) {
    WorkerStats& stats = shared_[block];
    const std::uint64_t accepted = stats.get(Stat::accepted);
    lost_[process] += accepted - std::min(stats.get(Stat::closed), accepted);
    stats[Stat::closed].set(accepted);
  }
}

std::uint64_t ServerStatistics::of_process(unsigned process, Stat stat) const noexcept {
  std::uint64_t sum = 0;
  for (unsigned block = layout_.first_block(process); block < layout_.end_block(process); ++block) {
    sum += shared_[block].get(stat);
  }
  return sum;
}

void ServerStatistics::report_interval(ServerLog& log, std::uint64_t now_ns, bool asked) {
  const std::vector<CounterValues> workers = all();
  CounterValues total = sum(workers, infos_.size());
  const CounterValues growth = difference(total, reported_);
  if (asked || value(growth, Stat::receives) != 0 || value(growth, Stat::accepted) != 0 ||
      value(growth, Stat::closed) != 0) {
    log("{}", describe(total, growth, static_cast<double>(now_ns - reported_ns_) / 1e9));
  }
  reported_ = std::move(total);
  reported_ns_ = now_ns;
  write_json(workers, now_ns);
  report_losses(log);
}

void ServerStatistics::report_summary(ServerLog& log, std::uint64_t now_ns) {
  const std::vector<CounterValues> workers = all();
  const CounterValues total = sum(workers, infos_.size());
  for (unsigned index = 0; workers.size() > 1 && index < workers.size(); ++index) {
    if (layout_.has_reactors() && index == layout_.workers) {
      log("{}: {} handed over | {} system calls, {:.1f} ms CPU | {} accept errors",
          layout_.name(index), value(total, Stat::accepted), value(workers[index], Stat::enters),
          static_cast<double>(value(workers[index], Stat::cpu_ns)) / 1e6,
          value(workers[index], Stat::accept_errors));
      continue;
    }
    log("{}: {} accepted | {}", layout_.name(index), value(workers[index], Stat::accepted),
        describe(workers[index], workers[index], seconds(now_ns)));
  }
  log("in {:.1f} s: {} accepted | {}", seconds(now_ns), value(total, Stat::accepted),
      describe(total, total, seconds(now_ns)));
  const std::string own =
      describe_own(std::span(infos_).subspan(stat_count), std::span(total).subspan(stat_count));
  if (!own.empty()) log("{}", own);
  write_json(workers, now_ns);
}

std::uint64_t ServerStatistics::drain_resets() const { return value(total(), Stat::drain_resets); }

void ServerStatistics::close() noexcept {
  if (json_) json_->close();
}

void ServerStatistics::report_losses(ServerLog& log) {
  if (!json_ || json_->lost() == 0 || losses_told_) return;
  losses_told_ = true;
  log("--stats-json {}: statistics are lost: {}", json_file_,
      json_->error() != 0 ? std::strerror(json_->error()) : "nobody reads them");
}

std::vector<CounterValues> ServerStatistics::all() const {
  std::vector<CounterValues> workers;
  for (unsigned index = 0; index < layout_.blocks(); ++index)
    workers.push_back(shared_.read(index));
  return workers;
}

void ServerStatistics::write_json(const std::vector<CounterValues>& workers, std::uint64_t now_ns) {
  if (json_) json_->write(to_json(infos_, workers, seconds(now_ns)) + "\n");
}

}  // namespace lab
