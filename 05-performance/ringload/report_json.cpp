#include <fmt/format.h>

#include <array>
#include <iterator>
#include <utility>

#include "05-performance/ringload/report.hpp"

namespace lab {

namespace {

constexpr std::array<std::pair<const char*, double>, 5> percentiles{
    {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}, {"p99.99", 99.99}}};

void add_latency(std::string& json, const char* name, const LatencyHistogram& latency) {
  if (latency.count() == 0) return;
  const auto out = std::back_inserter(json);
  fmt::format_to(out, ",\"{}\":{{", name);
  for (const auto& [label, percent] : percentiles) {
    fmt::format_to(out, "\"{}\":{},", label, latency.percentile(percent));
  }
  fmt::format_to(out, "\"max\":{},\"mean\":{:.0f}}}", latency.max(), latency.mean());
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
                 report.usage.seconds, report.requests, report.per_second(report.requests),
                 report.bytes_out, report.bytes_in, report.per_second(report.bytes_out) / 1e6,
                 report.per_second(report.bytes_in) / 1e6);
  add_latency(json, "latency_ns", report.latency);
  if (report.churn) {
    fmt::format_to(out, ",\"churn_connections\":{},\"churn_connections_per_second\":{:.1f}",
                   report.churn->connections, report.per_second(report.churn->connections));
    add_latency(json, "connect_ns", report.churn->connect);
    add_latency(json, "whole_ns", report.churn->whole);
  }
  if (report.datagrams) {
    const DatagramReport& udp = *report.datagrams;
    fmt::format_to(out,
                   ",\"datagrams\":{{\"sent\":{},\"answered\":{},\"lost\":{},\"late\":{},"
                   "\"duplicate\":{},\"reordered\":{},\"dropped_here\":{}}}",
                   udp.sent, udp.answered, udp.lost, udp.late, udp.duplicate, udp.reordered,
                   udp.dropped_here);
  }
  fmt::format_to(out,
                 ",\"held_back\":{},\"own_cpu_s\":{:.4f},\"own_us_per_request\":{:.4f},\"own_"
                 "system_calls\":{},"
                 "\"own_operations\":{},"
                 "\"own_busy_share\":{:.4f}",
                 report.held_back, report.usage.own_cpu_s,
                 report.per_request_us(report.usage.own_cpu_s), report.system_calls,
                 report.operations, report.usage.own_busy_share());
  if (report.usage.own_core) add_core_json(json, "own_core", *report.usage.own_core, report);
  if (report.usage.server_core)
    add_core_json(json, "server_core", *report.usage.server_core, report);
  if (report.usage.server_process_s) {
    fmt::format_to(out, ",\"server_process_s\":{:.4f},\"server_process_us_per_request\":{:.4f}",
                   *report.usage.server_process_s,
                   report.per_request_us(*report.usage.server_process_s));
  }
  fmt::format_to(out,
                 ",\"limit\":\"{}\",\"generator_limited\":{},\"verdict\":\"{}\",\"lost\":{},"
                 "\"content_errors\":{},\"interrupted\":{}}}\n",
                 limit_name(limit_of(report.usage)), limit_of(report.usage) == Limit::generator,
                 verdict(report.usage), report.lost, report.content_errors, report.interrupted);
  return json;
}

}  // namespace lab
