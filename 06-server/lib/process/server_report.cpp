#include "06-server/lib/process/server_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace lab {

namespace {

std::uint64_t value(const StatValues& values, Stat stat) noexcept {
  return values[static_cast<std::size_t>(stat)];
}

double per(std::uint64_t amount, double of) noexcept {
  return of > 0 ? static_cast<double>(amount) / of : 0.0;
}

// Each counter is read at its own moment: one accepted and closed in between is in `closed` alone.
std::uint64_t connections(const StatValues& values) noexcept {
  const std::uint64_t accepted = value(values, Stat::accepted);
  return accepted - std::min(value(values, Stat::closed), accepted);
}

void append_object(std::string& out, const StatValues& values) {
  fmt::format_to(std::back_inserter(out), "\"connections\":{}", connections(values));
  for (std::size_t index = 0; index < stat_count; ++index) {
    fmt::format_to(std::back_inserter(out), ",\"{}\":{}", stat_name(static_cast<Stat>(index)),
                   values[index]);
  }
}

}  // namespace

StatValues difference(const StatValues& later, const StatValues& earlier) noexcept {
  StatValues result{};
  // A worker that was started again counts from zero; its block is kept, so this never goes
  // backwards.
  for (std::size_t index = 0; index < stat_count; ++index)
    result[index] = later[index] - earlier[index];
  return result;
}

StatValues sum(std::span<const StatValues> workers) noexcept {
  StatValues result{};
  for (const StatValues& worker : workers) {
    for (std::size_t index = 0; index < stat_count; ++index) result[index] += worker[index];
  }
  return result;
}

std::string short_number(double number) {
  constexpr const char* units[] = {"", " k", " M", " G", " T", " P"};
  std::size_t unit = 0;
  while (number >= 999.5 && unit + 1 < std::size(units)) {
    number /= 1000;
    ++unit;
  }
  const int decimals = unit == 0 || number >= 99.95 ? 0 : number >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f}{}", number, decimals, units[unit]);
}

std::string describe(const StatValues& now, const StatValues& interval, double seconds) {
  const auto receives = value(interval, Stat::receives);
  const auto enters = value(interval, Stat::enters);
  std::string line = fmt::format(
      "{} connections | {}/s accepted | {}/s requests | in {}B/s out {}B/s | {:.3f} system "
      "calls/request, "
      "{:.1f} CQEs/call, {:.2f} us CPU/request",
      connections(now), short_number(per(value(interval, Stat::accepted), seconds)),
      short_number(per(receives, seconds)),
      short_number(per(value(interval, Stat::bytes_in), seconds)),
      short_number(per(value(interval, Stat::bytes_out), seconds)),
      per(enters, static_cast<double>(receives)),
      per(value(interval, Stat::completions), static_cast<double>(enters)),
      per(value(interval, Stat::cpu_ns), static_cast<double>(receives) * 1000.0));
  fmt::format_to(std::back_inserter(line), " | zc {} sent {} copied",
                 value(interval, Stat::zero_copy_sent), value(interval, Stat::zero_copy_copied));
  const struct {
    Stat stat;
    const char* name;
  } rare[] = {{Stat::no_buffers, "ENOBUFS"},
              {Stat::pauses, "pauses"},
              {Stat::receives_one_shot, "one-shot"},
              {Stat::shed, "shed"},
              {Stat::idle_closed, "idle"},
              {Stat::tcp_ended, "ended by TCP"},
              {Stat::drain_resets, "reset by the drain"},
              {Stat::accept_errors, "accept errors"},
              {Stat::cq_overflows, "CQ overflows"},
              {Stat::ring_errors, "ring errors"}};
  for (const auto& [stat, name] : rare) {
    if (value(interval, stat) != 0) {
      fmt::format_to(std::back_inserter(line), " | {} {}", value(interval, stat), name);
    }
  }
  return line;
}

std::string to_json(std::span<const StatValues> workers, double seconds) {
  std::string out = fmt::format("{{\"seconds\":{:.3f},", seconds);
  append_object(out, sum(workers));
  out += ",\"workers\":[";
  for (std::size_t index = 0; index < workers.size(); ++index) {
    fmt::format_to(std::back_inserter(out), "{}{{\"worker\":{},", index == 0 ? "" : ",", index);
    append_object(out, workers[index]);
    out += '}';
  }
  out += "]}";
  return out;
}

}  // namespace lab
