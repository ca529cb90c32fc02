#include "05-performance/ringload/report.hpp"
#include "05-performance/bench/host_port.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "05-performance/ringload/sockets.hpp"

namespace lab {

namespace {

constexpr std::array<std::pair<const char*, double>, 5> percentiles{
    {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}, {"p99.99", 99.99}}};

std::string load_text(const LoadOptions& options) {
  const char* what = options.udp     ? "UDP flows"
                     : options.churn ? "connections at a time"
                                     : "connections";
  const std::string head = fmt::format("{} {}", options.connections, what);
  const std::string message = options.http ? "GET" : fmt::format("{} B", options.size);
  if (options.churn) {
    return fmt::format("{}, each for {} x {}, then {}", head, options.messages, message,
                       options.linger_reset ? "a reset" : "a close");
  }
  if (options.stream) return head + ", stream";
  const std::string messages = fmt::format("{} x {}, depth {}", head, message, options.depth);
  if (options.rate) return fmt::format("{}, open loop at {:g}/s", messages, *options.rate);
  return messages + ", closed loop";
}

void add_latency(std::string& text, const char* name, const LatencyHistogram& latency,
                 const char* remark = "") {
  if (latency.count() == 0) return;
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "{:<16}", name);
  for (const auto& [label, percent] : percentiles) {
    fmt::format_to(out, "{} {}  ", label, duration_text(latency.percentile(percent)));
  }
  fmt::format_to(out, "max {}{}\n", duration_text(latency.max()), remark);
}

void add_churn(std::string& text, const LoadOptions& options, const ChurnReport& churn,
               const Report& report) {
  fmt::format_to(std::back_inserter(text), "{:<16}{:.0f}/s  ({} in {:.2f} s{})\n", "connections",
                 report.per_second(churn.connections), churn.connections, report.usage.seconds,
                 options.linger_reset ? "" : "; each leaves its port in TIME_WAIT for 60 s");
  add_latency(text, "connect", churn.connect);
  add_latency(text, "whole", churn.whole, "  (from the connect to the end of the close)");
}

void add_datagrams(std::string& text, const LoadOptions& options, const DatagramReport& datagrams) {
  const auto out = std::back_inserter(text);
  const double all = static_cast<double>(std::max<std::uint64_t>(datagrams.sent, 1));
  fmt::format_to(out, "{:<16}{} sent, {} answered, {} lost ({:.3f} %, no answer within {:g} ms)\n",
                 "datagrams", datagrams.sent, datagrams.answered, datagrams.lost,
                 static_cast<double>(datagrams.lost) * 100 / all, options.timeout_ms);
  fmt::format_to(out, "{:<16}{} reordered, {} duplicate, {} late\n", "", datagrams.reordered,
                 datagrams.duplicate, datagrams.late);
  if (datagrams.dropped_here > 0) {
    fmt::format_to(out,
                   "{:<16}{} answers found no room in our own sockets: the generator lost those "
                   "(--receive-buffer 4MiB, or less --depth)\n",
                   "", datagrams.dropped_here);
  }
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

}  // namespace

std::string duration_text(std::uint64_t nanoseconds) {
  const auto value = static_cast<double>(nanoseconds);
  if (nanoseconds < 10'000) return fmt::format("{:.2f} us", value / 1e3);
  if (nanoseconds < 10'000'000) return fmt::format("{:.0f} us", value / 1e3);
  if (nanoseconds < 10'000'000'000) return fmt::format("{:.0f} ms", value / 1e6);
  return fmt::format("{:.1f} s", value / 1e9);
}

std::string to_text(const LoadOptions& options, const Report& report) {
  std::string text =
      fmt::format("{}  {}\n", host_port_text(options.host, options.port), load_text(options));
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "{:<16}{:.0f}/s  ({} in {:.2f} s)\n", "requests",
                 report.per_second(report.requests), report.requests, report.usage.seconds);
  fmt::format_to(out, "{:<16}{:.1f} MB/s out, {:.1f} MB/s in\n", "bytes",
                 report.per_second(report.bytes_out) / 1e6,
                 report.per_second(report.bytes_in) / 1e6);
  if (report.churn) add_churn(text, options, *report.churn, report);
  add_latency(text, "latency", report.latency,
              options.rate ? "  (from the time each was due)" : "");
  if (report.datagrams) add_datagrams(text, options, *report.datagrams);
  if (report.held_back > 0) {
    fmt::format_to(out,
                   "{:<16}{} messages were due and not sent, as {} of each connection were "
                   "unanswered:\n{:<16}the server does not keep up, or it takes more connections\n",
                   "BEHIND", report.held_back, options.depth, "");
  }
  fmt::format_to(
      out, "{:<16}{:.1f} % busy, {:.2f} us CPU and {:.3f} system calls a request\n", "generator",
      report.usage.own_busy_share() * 100, report.per_request_us(report.usage.own_cpu_s),
      report.requests > 0
          ? static_cast<double>(report.system_calls) / static_cast<double>(report.requests)
          : 0.0);
  if (report.usage.own_core) add_core(text, "generator core", *report.usage.own_core, report);
  if (report.usage.server_core) add_core(text, "server core", *report.usage.server_core, report);
  if (report.usage.server_process_s) {
    fmt::format_to(out, "{:<16}{:.2f} us CPU a request\n", "server process",
                   report.per_request_us(*report.usage.server_process_s));
  }
  fmt::format_to(out, "{:<16}{}\n", "limit", verdict(report.usage));
  fmt::format_to(out, "{:<16}{}\n", "content", options.check ? "checked" : "not checked");
  if (report.interrupted) {
    fmt::format_to(out, "{:<16}by a signal: the figures are those of the {:.2f} s until then\n",
                   "STOPPED", report.usage.seconds);
  }
  if (report.failed()) {
    fmt::format_to(out, "{:<16}{} {} lost, {} wrong answers; first: {}\n", "FAILED", report.lost,
                   options.udp ? "flows" : "connections", report.content_errors,
                   to_text(report.failure));
  }
  return text;
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
      return where + "the server sent more than it was asked for";
    case LoadFailure::Kind::closed_by_server:
      return where + "the server closed the connection";
    case LoadFailure::Kind::error:
      return where + connect_error_text(failure.error);
    case LoadFailure::Kind::no_answer:
      return fmt::format(
          "{}{} bytes of answers were awaited from here on, and did not come within "
          "the time allowed (--patience)",
          where, failure.awaited);
    case LoadFailure::Kind::no_connection:
      return where + "no connection within the time allowed (--patience)";
    case LoadFailure::Kind::no_datagram:
      return "no datagram was answered, but for the one before the run";
    case LoadFailure::Kind::wrong_size:
      return fmt::format("flow {}: an answer of {} bytes, which is not the size that was sent",
                         failure.connection, failure.position);
    case LoadFailure::Kind::wrong_datagram:
      return fmt::format("flow {}: an answer to a datagram that this flow has not sent",
                         failure.connection);
  }
  return where;
}

}  // namespace lab
