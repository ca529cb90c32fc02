#include "05-performance/ringio/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
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

std::string size_text(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> units{"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && bytes % 1024 == 0 && unit + 1 < units.size()) {
    bytes /= 1024;
    ++unit;
  }
  return fmt::format("{} {}", bytes, units[unit]);
}

const char* mode_text(const IoOptions& options) {
  switch (options.mode) {
    case IoMode::read:
      return "read";
    case IoMode::write:
      return "write";
    case IoMode::mixed:
      return "mixed";
  }
  return "";
}

// What was not switched off, as far as it was to be had, and what was switched on.
std::vector<std::string> ways(const IoOptions& options, const IoReport& report) {
  std::vector<std::string> names;
  if (options.fixed_buffers && report.jobs_unregistered == 0) names.emplace_back("fixed-buffers");
  if (report.jobs_plain_pages > 0) names.emplace_back("plain-pages");
  if (options.fixed_files) names.emplace_back("fixed-files");
  if (options.iopoll) names.emplace_back("iopoll");
  if (options.sqpoll) names.emplace_back("sqpoll");
  return names;
}

std::string load_text(const IoOptions& options, const IoReport& report) {
  std::string mode = mode_text(options);
  if (options.mode == IoMode::mixed) mode += fmt::format(" ({} % reads)", options.read_share);
  std::string text = fmt::format(
      "{} {}, {} blocks, {}, depth {}, {} of {}\n",
      options.access == IoAccess::random ? "random" : "sequential", mode,
      size_text(options.block_size), options.direct ? "direct" : "buffered", options.depth,
      report.names.size() == 1 ? "one file" : fmt::format("{} files", report.names.size()),
      size_text(report.blocks * options.block_size));
  if (options.jobs > 1) text.insert(text.size() - 1, fmt::format(", {} jobs", options.jobs));
  return text;
}

void add_latency(std::string& text, const char* name, const LatencyHistogram& latency) {
  if (latency.count() == 0) return;
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "{:<16}", name);
  for (const auto& [label, percent] : percentiles) {
    fmt::format_to(out, "{} {}  ", label, duration_text(latency.percentile(percent)));
  }
  fmt::format_to(out, "max {}\n", duration_text(latency.max()));
}

// A bar for each doubling of the time.
void add_histogram(std::string& text, const char* name, const LatencyHistogram& latency) {
  if (latency.count() == 0) return;
  constexpr double width = 50;
  std::uint64_t from = 1;
  while (latency.at_most(2 * from - 1) == 0) from *= 2;
  text += fmt::format("{}\n", name);
  for (std::uint64_t below = from; latency.at_most(from - 1) < latency.count(); from = below) {
    below = from * 2;
    const std::uint64_t count = latency.at_most(below - 1) - latency.at_most(from - 1);
    const double share = static_cast<double>(count) / static_cast<double>(latency.count());
    const std::string bar(static_cast<std::size_t>(share * width + 0.5), '#');
    text += fmt::format("  < {:>9} {:>7.3f} % {}\n", duration_text(below), share * 100, bar);
  }
}

void add_content(std::string& text, const IoOptions& options, const IoReport& report) {
  if (!options.verify) return;
  const char* missing = options.writes() && !report.read_back ? ", not read back" : "";
  text += fmt::format("{:<16}{} blocks checked, {} wrong{}\n", "content", report.blocks_checked,
                      report.content_errors, missing);
}

void add_latency_json(std::string& json, const char* name, const LatencyHistogram& latency) {
  if (latency.count() == 0) return;
  const auto out = std::back_inserter(json);
  fmt::format_to(out, ",\"{}_latency_ns\":{{\"min\":{},", name, latency.min());
  for (const auto& [label, percent] : percentiles) {
    fmt::format_to(out, "\"{}\":{},", label, latency.percentile(percent));
  }
  fmt::format_to(out, "\"max\":{},\"mean\":{:.0f}}}", latency.max(), latency.mean());
}

}  // namespace

std::string to_text(const IoOptions& options, const IoReport& report) {
  std::string text = load_text(options, report);
  const auto out = std::back_inserter(text);
  const double bytes_per_second =
      report.per_second(report.operations()) * static_cast<double>(options.block_size);
  fmt::format_to(out, "{:<16}{:.0f}/s, {:.1f} MB/s  ({} in {:.2f} s)\n", "operations",
                 report.per_second(report.operations()), bytes_per_second / 1e6,
                 report.operations(), report.seconds);
  if (options.mode == IoMode::mixed) {
    fmt::format_to(out, "{:<16}{:.0f} reads/s, {:.0f} writes/s\n", "of these",
                   report.per_second(report.reads), report.per_second(report.writes));
  }
  add_latency(text, "read latency", report.read_latency);
  add_latency(text, "write latency", report.write_latency);
  fmt::format_to(out, "{:<16}{:.2f} us CPU and {:.3f} system calls an operation\n", "cost",
                 report.per_operation(report.cpu_s * 1e6),
                 report.per_operation(static_cast<double>(report.system_calls)));
  if (const auto names = ways(options, report); !names.empty()) {
    fmt::format_to(out, "{:<16}{}\n", "with", fmt::join(names, ", "));
  }
  if (options.fixed_buffers && report.jobs_unregistered > 0) {
    fmt::format_to(out,
                   "{:<16}{} of {} jobs had no registered buffers, for want of locked memory\n",
                   "without", report.jobs_unregistered, options.jobs);
  }
  if (report.sync_s && !options.direct) {
    fmt::format_to(out, "{:<16}{:.2f} s after the run, until the writes had left memory\n", "sync",
                   *report.sync_s);
  }
  add_content(text, options, report);
  if (options.keep && report.own) {
    fmt::format_to(out, "{:<16}{}\n", "kept", fmt::join(report.names, " "));
  }
  if (options.histogram) {
    add_histogram(text, "reads", report.read_latency);
    add_histogram(text, "writes", report.write_latency);
  }
  if (report.interrupted) text += "STOPPED         before its end\n";
  if (report.failure.kind != IoFailure::Kind::none) {
    fmt::format_to(out, "{:<16}{}\n", "FAILED", to_text(report.failure, report.names));
  }
  return text;
}

std::string to_json(const IoOptions& options, const IoReport& report) {
  const double block_size = static_cast<double>(options.block_size);
  std::string json;
  const auto out = std::back_inserter(json);
  fmt::format_to(
      out,
      "{{\"mode\":\"{}\",\"access\":\"{}\",\"read_share\":{},\"block_size\":{},\"depth\":{},"
      "\"jobs\":{},\"files\":{},\"blocks_per_file\":{},\"cache\":\"{}\",\"batch\":{}",
      mode_text(options), options.access == IoAccess::random ? "random" : "sequential",
      options.mode == IoMode::mixed ? options.read_share
      : options.reads()             ? 100
                                    : 0,
      options.block_size, options.depth, options.jobs, report.names.size(), report.blocks,
      options.direct ? "direct" : "buffered", options.batch);
  json += ",\"with\":[";
  for (const std::string& way : ways(options, report)) {
    json += fmt::format("{}\"{}\"", json.back() == '[' ? "" : ",", way);
  }
  fmt::format_to(out,
                 "],\"seconds\":{:.6f},\"operations\":{},\"reads\":{},\"writes\":{},\"bytes\":{},"
                 "\"operations_per_second\":{:.1f},\"reads_per_second\":{:.1f},"
                 "\"writes_per_second\":{:.1f},\"mb_per_second\":{:.3f}",
                 report.seconds, report.operations(), report.reads, report.writes,
                 report.operations() * options.block_size, report.per_second(report.operations()),
                 report.per_second(report.reads), report.per_second(report.writes),
                 report.per_second(report.operations()) * block_size / 1e6);
  add_latency_json(json, "read", report.read_latency);
  add_latency_json(json, "write", report.write_latency);
  fmt::format_to(out,
                 ",\"jobs_without_fixed_buffers\":{},\"cpu_s\":{:.6f},\"us_per_operation\":{:.4f},"
                 "\"system_calls\":{},"
                 "\"sync_s\":{:.4f},\"blocks_checked\":{},\"content_errors\":{},\"result\":\"{}\"}}"
                 "\n",
                 report.jobs_unregistered, report.cpu_s, report.per_operation(report.cpu_s * 1e6),
                 report.system_calls, report.sync_s.value_or(0), report.blocks_checked,
                 report.content_errors,
                 report.failure.kind != IoFailure::Kind::none ? "failed"
                 : report.interrupted                         ? "stopped"
                                                              : "ok");
  return json;
}

std::string to_text(const IoFailure& failure, const std::vector<std::string>& names) {
  const std::string name = failure.file < names.size() ? names[failure.file] : "?";
  const std::string where =
      fmt::format("{}, {} at byte {}: ", name, failure.reading ? "read" : "write", failure.offset);
  switch (failure.kind) {
    case IoFailure::Kind::none:
      return "nothing failed";
    case IoFailure::Kind::error:
      return fmt::format("{}{}{}", where, std::strerror(-failure.res),
                         failure.res == -ENOSPC ? " (the disk is full)" : "");
    case IoFailure::Kind::short_io:
      return fmt::format("{}{} bytes and no more: has the file become shorter?", where,
                         failure.res);
    case IoFailure::Kind::content:
      return fmt::format("{}, block at byte {}: {}", name, failure.offset, to_text(failure.fault));
  }
  return where;
}

}  // namespace lab
