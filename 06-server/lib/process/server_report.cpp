#include "06-server/lib/process/server_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace lab {

namespace {

std::uint64_t value(std::span<const std::uint64_t> values, Stat stat) noexcept {
  return values[static_cast<std::size_t>(stat)];
}

double per(std::uint64_t amount, double of) noexcept {
  return of > 0 ? static_cast<double>(amount) / of : 0.0;
}

// What the requests cost, each of them or in all: a worker's tick is a turn too, 40 a second, so
// beside a few requests it would be most of the figure.
std::string costs(std::span<const std::uint64_t> interval) {
  constexpr std::uint64_t few = 100;
  const auto requests = value(interval, Stat::receives);
  const auto enters = value(interval, Stat::enters);
  const auto cpu_ns = value(interval, Stat::cpu_ns);
  const auto count = static_cast<double>(requests);
  if (enters == 0) {  // the portable engine makes calls that nobody counts
    return requests < few ? fmt::format("{:.1f} ms CPU", per(cpu_ns, 1e6))
                          : fmt::format("{:.2f} us CPU/request", per(cpu_ns, count * 1000.0));
  }
  if (requests < few || enters > 4 * requests) {
    return fmt::format("{} system calls, {:.1f} ms CPU", enters, per(cpu_ns, 1e6));
  }
  return fmt::format("{:.3f} system calls/request, {:.1f} CQEs/call, {:.2f} us CPU/request",
                     per(enters, count),
                     per(value(interval, Stat::completions), static_cast<double>(enters)),
                     per(cpu_ns, count * 1000.0));
}

// Each counter is read at its own moment: one accepted and closed in between is in `closed` alone.
std::uint64_t connections(std::span<const std::uint64_t> values) noexcept {
  const std::uint64_t accepted = value(values, Stat::accepted);
  return accepted - std::min(value(values, Stat::closed), accepted);
}

bool begins_family(std::span<const CounterInfo> infos, std::size_t index) noexcept {
  return index == 0 || infos[index].name != infos[index - 1].name;
}
bool ends_family(std::span<const CounterInfo> infos, std::size_t index) noexcept {
  return index + 1 == infos.size() || infos[index].name != infos[index + 1].name;
}

// Those of a family are an object of their own.
void append_object(std::string& out, std::span<const CounterInfo> infos,
                   const CounterValues& values) {
  const auto to = std::back_inserter(out);
  fmt::format_to(to, "\"connections\":{}", connections(values));
  for (std::size_t index = 0; index < infos.size(); ++index) {
    const CounterInfo& info = infos[index];
    const bool begins = begins_family(infos, index);
    if (begins) fmt::format_to(to, ",\"{}\":", info.name);
    if (info.label.empty()) {
      fmt::format_to(to, "{}", values[index]);
      continue;
    }
    fmt::format_to(to, "{}\"{}\":{}", begins ? '{' : ',', info.value, values[index]);
    if (ends_family(infos, index)) out += '}';
  }
}

}  // namespace

// A worker that was started again counts on in its block, so this never goes backwards.
CounterValues difference(const CounterValues& later, const CounterValues& earlier) {
  CounterValues result = later;
  for (std::size_t index = 0; index < result.size(); ++index) result[index] -= earlier[index];
  return result;
}

CounterValues sum(std::span<const CounterValues> workers, std::size_t counters) {
  CounterValues result(counters);
  for (const CounterValues& worker : workers) {
    for (std::size_t index = 0; index < counters; ++index) result[index] += worker[index];
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

std::string describe(std::span<const std::uint64_t> now, std::span<const std::uint64_t> interval,
                     double seconds) {
  std::string line = fmt::format(
      "{} connections | {}/s accepted | {}/s requests | in {}B/s out {}B/s | {} | zc {} sent {} "
      "copied",
      connections(now), short_number(per(value(interval, Stat::accepted), seconds)),
      short_number(per(value(interval, Stat::receives), seconds)),
      short_number(per(value(interval, Stat::bytes_in), seconds)),
      short_number(per(value(interval, Stat::bytes_out), seconds)), costs(interval),
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

std::string describe_own(std::span<const CounterInfo> infos,
                         std::span<const std::uint64_t> values) {
  std::string line;
  const auto to = std::back_inserter(line);
  std::string_view told;  // the latest name in the line
  for (std::size_t index = 0; index < infos.size(); ++index) {
    const CounterInfo& info = infos[index];
    if (values[index] == 0 || info.kind == CounterInfo::Kind::duration_bucket) continue;
    const bool same = std::exchange(told, info.name) == info.name;
    line += line.empty() ? "" : same ? ", " : " | ";
    if (!same) fmt::format_to(to, "{}{}", info.name, info.label.empty() ? "" : " ");
    fmt::format_to(to, "{}: {}", info.value, values[index]);
  }
  return line;
}

std::string to_json(std::span<const CounterInfo> infos, std::span<const CounterValues> workers,
                    double seconds) {
  std::string out = fmt::format("{{\"seconds\":{:.3f},", seconds);
  append_object(out, infos, sum(workers, infos.size()));
  out += ",\"workers\":[";
  for (std::size_t index = 0; index < workers.size(); ++index) {
    fmt::format_to(std::back_inserter(out), "{}{{\"worker\":{},", index == 0 ? "" : ",", index);
    append_object(out, infos, workers[index]);
    out += '}';
  }
  out += "]}";
  return out;
}

std::size_t json_size_max(std::span<const CounterInfo> infos, std::size_t workers) {
  constexpr std::size_t number_max = 20;
  constexpr std::size_t frame_max = 128;  // of an object: its braces, "worker" and "connections"
  std::size_t object = frame_max;
  for (const CounterInfo& info : infos) {
    object += info.name.size() + info.value.size() + number_max + 8;
  }
  return (workers + 1) * object;
}

}  // namespace lab
