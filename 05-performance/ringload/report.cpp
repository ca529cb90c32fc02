#include "05-performance/ringload/report.hpp"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <iterator>
#include <utility>

namespace lab {

namespace {

constexpr std::array<std::pair<const char*, double>, 5> percentiles{
    {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}, {"p99.99", 99.99}}};

std::string duration_text(std::uint64_t nanoseconds) {
  const auto value = static_cast<double>(nanoseconds);
  if (nanoseconds < 10'000) return fmt::format("{:.2f} us", value / 1e3);
  if (nanoseconds < 10'000'000) return fmt::format("{:.0f} us", value / 1e3);
  if (nanoseconds < 10'000'000'000) return fmt::format("{:.0f} ms", value / 1e6);
  return fmt::format("{:.1f} s", value / 1e9);
}

std::string load_text(const LoadOptions& options) {
  const std::string head = fmt::format("{} connections", options.connections);
  if (options.stream) return head + ", stream";
  const std::string messages =
      fmt::format("{} x {} B, depth {}", head, options.size, options.depth);
  if (options.rate) return fmt::format("{}, open loop at {:g}/s", messages, *options.rate);
  return messages + ", closed loop";
}

void add_core(std::string& text, const char* name, const ProcessorUse& use, const Report& report) {
  fmt::format_to(std::back_inserter(text), "{:<16}{:.1f} % busy, {:.2f} us a request", name,
                 use.busy_share() * 100, report.per_request_us(use.busy_s));
  if (use.steal_s > 0) {
    fmt::format_to(std::back_inserter(text), ", {:.1f} % stolen by the hypervisor",
                   use.steal_share() * 100);
  }
  text += '\n';
}

void add_core_json(std::string& json, const char* name, const ProcessorUse& use,
                   const Report& report) {
  fmt::format_to(
      std::back_inserter(json),
      ",\"{0}_busy_share\":{1:.4f},\"{0}_us_per_request\":{2:.4f},\"{0}_busy_s\":{3:.4f},"
      "\"{0}_ticks_s\":{4:.4f},\"{0}_steal_share\":{5:.4f}",
      name, use.busy_share(), report.per_request_us(use.busy_s), use.busy_s, use.ticks_s,
      use.steal_share());
}

}  // namespace

double Report::own_busy_share() const noexcept {
  if (spin) return 1 - idle_share;
  if (own_core) return own_core->busy_share();
  return seconds > 0 ? own_cpu_s / seconds : 0;
}

bool Report::generator_limited() const noexcept {
  if (own_busy_share() < core_full_share) return false;
  return !server_core || server_core->busy_share() < core_full_share;
}

std::string to_text(const LoadOptions& options, const Report& report) {
  std::string text = fmt::format("{}:{}  {}\n", options.host, options.port, load_text(options));
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "{:<16}{:.0f}/s  ({} in {:.2f} s)\n", "requests",
                 report.per_second(report.requests), report.requests, report.seconds);
  fmt::format_to(out, "{:<16}{:.1f} MB/s out, {:.1f} MB/s in\n", "bytes",
                 report.per_second(report.bytes_out) / 1e6,
                 report.per_second(report.bytes_in) / 1e6);
  if (report.latency.count() > 0) {
    fmt::format_to(out, "{:<16}", "latency");
    for (const auto& [name, percent] : percentiles) {
      fmt::format_to(out, "{} {}  ", name, duration_text(report.latency.percentile(percent)));
    }
    fmt::format_to(out, "max {}{}\n", duration_text(report.latency.max()),
                   options.rate ? "  (from the time each was due)" : "");
  }
  if (report.held_back > 0) {
    fmt::format_to(out,
                   "{:<16}{} messages were due and not sent, as {} of each connection were "
                   "unanswered:\n{:<16}the server does not keep up, or it takes more connections\n",
                   "BEHIND", report.held_back, options.depth, "");
  }
  fmt::format_to(
      out, "{:<16}{:.1f} % busy, {:.2f} us CPU and {:.3f} system calls a request\n", "generator",
      report.own_busy_share() * 100, report.per_request_us(report.own_cpu_s),
      report.requests > 0
          ? static_cast<double>(report.system_calls) / static_cast<double>(report.requests)
          : 0.0);
  if (report.own_core) add_core(text, "generator core", *report.own_core, report);
  if (report.server_core) add_core(text, "server core", *report.server_core, report);
  if (report.server_process_s) {
    fmt::format_to(out, "{:<16}{:.2f} us CPU a request\n", "server process",
                   report.per_request_us(*report.server_process_s));
  }
  if (report.generator_limited()) {
    text += report.server_core ? "LIMIT           the generator was the limit, not the server\n"
                               : "LIMIT           the generator's core was full (give --server-cpu "
                                 "to see whether the server's was, too)\n";
  }
  fmt::format_to(out, "{:<16}{}\n", "content", options.check ? "checked" : "not checked");
  if (report.lost > 0) {
    fmt::format_to(out, "{:<16}{} connections lost, {} of them for wrong bytes; first: {}\n",
                   "FAILED", report.lost, report.content_errors, to_text(report.failure));
  }
  return text;
}

std::string to_json(const LoadOptions& options, const Report& report) {
  std::string json;
  const auto out = std::back_inserter(json);
  fmt::format_to(out,
                 "{{\"connections\":{},\"size\":{},\"depth\":{},\"stream\":{},\"rate\":{},"
                 "\"checked\":{},\"seconds\":{:.6f},\"requests\":{},\"requests_per_second\":{:.1f},"
                 "\"bytes_out\":{},\"bytes_in\":{},\"mb_out_per_second\":{:.3f},"
                 "\"mb_in_per_second\":{:.3f}",
                 options.connections, options.size, options.depth, options.stream,
                 options.rate ? fmt::format("{:g}", *options.rate) : "null", options.check,
                 report.seconds, report.requests, report.per_second(report.requests),
                 report.bytes_out, report.bytes_in, report.per_second(report.bytes_out) / 1e6,
                 report.per_second(report.bytes_in) / 1e6);
  if (report.latency.count() > 0) {
    json += ",\"latency_ns\":{";
    for (const auto& [name, percent] : percentiles) {
      fmt::format_to(out, "\"{}\":{},", name, report.latency.percentile(percent));
    }
    fmt::format_to(out, "\"max\":{},\"mean\":{:.0f}}}", report.latency.max(),
                   report.latency.mean());
  }
  fmt::format_to(out,
                 ",\"held_back\":{},\"own_cpu_s\":{:.4f},\"own_us_per_request\":{:.4f},\"own_"
                 "system_calls\":{},"
                 "\"own_operations\":{},"
                 "\"own_busy_share\":{:.4f}",
                 report.held_back, report.own_cpu_s, report.per_request_us(report.own_cpu_s),
                 report.system_calls, report.operations, report.own_busy_share());
  if (report.own_core) add_core_json(json, "own_core", *report.own_core, report);
  if (report.server_core) add_core_json(json, "server_core", *report.server_core, report);
  if (report.server_process_s) {
    fmt::format_to(out, ",\"server_process_s\":{:.4f},\"server_process_us_per_request\":{:.4f}",
                   *report.server_process_s, report.per_request_us(*report.server_process_s));
  }
  fmt::format_to(out, ",\"generator_limited\":{},\"lost\":{},\"content_errors\":{}}}\n",
                 report.generator_limited(), report.lost, report.content_errors);
  return json;
}

std::string to_text(const LoadFailure& failure) {
  const std::string where =
      fmt::format("connection {}, byte {}: ", failure.connection, failure.position);
  switch (failure.kind) {
    case LoadFailure::Kind::none:
      return "nothing failed";
    case LoadFailure::Kind::wrong_byte:
      return fmt::format("{}expected {:#04x}, got {:#04x}", where, failure.expected,
                         failure.actual);
    case LoadFailure::Kind::byte_too_many:
      return where + "the server sent more than it was sent";
    case LoadFailure::Kind::closed_by_server:
      return where + "the server closed the connection";
    case LoadFailure::Kind::error:
      return where + std::strerror(failure.error);
    case LoadFailure::Kind::no_answer:
      return where + "no answer within the time allowed after the end of the run";
  }
  return where;
}

}  // namespace lab
