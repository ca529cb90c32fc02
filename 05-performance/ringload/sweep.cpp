#include "05-performance/ringload/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "05-performance/bench/gnuplot.hpp"
#include "05-performance/bench/host_port.hpp"
#include "05-performance/ringload/stop.hpp"

namespace lab {

namespace {

constexpr unsigned auto_steps = 10;
// What may be missing at the end of a rate that was kept up with.
constexpr double missing_share_max = 0.02;
constexpr double missing_min = 2;

constexpr std::array<std::pair<const char*, double>, 4> percentiles{
    {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}}};

std::string share_text(std::optional<double> share) {
  return share ? fmt::format("{:.0f} %", *share * 100) : "?";
}

// Who could not follow. Only told when a rate was not reached.
std::string culprit(const LoadOptions& options, const Report& report) {
  switch (limit_of(report.usage)) {
    case Limit::generator:
      return "the generator could not follow, so this says nothing about the server";
    case Limit::server:
      return "the server could not follow";
    case Limit::unknown:
      return "the generator was nearly full, so it may be the one that could not follow";
    case Limit::neither:
    case Limit::none_seen:
      break;
  }
  return fmt::format(
      "the generator had time left: the server could not follow, or {} {} with {} unanswered each "
      "are too few for this rate",
      options.connections, options.udp ? "flows" : "connections", options.depth);
}

std::string title_of(const LoadOptions& options) {
  return fmt::format("{}, {} {} x {}, depth {}", host_port_text(options.host, options.port),
                     options.connections, options.udp ? "UDP flows" : "connections",
                     options.http ? "GET" : fmt::format("{} B", options.size), options.depth);
}

void write_data(const LoadOptions& options, const SweepResult& result,
                const std::filesystem::path& path) {
  std::ofstream file(path);
  file << fmt::format("# ringload, open loop, {:g} s for each rate; {}\n", options.duration_s,
                      title_of(options));
  file << "# asked/s\treached/s\tp50 us\tp90 us\tp99 us\tp99.9 us\tmax us\tgenerator busy\tserver "
          "busy\tlimit\tkept up\tlost datagrams\n";
  for (const SweepStep& step : result.steps) {
    file << fmt::format("{:.1f}\t{:.1f}", step.asked, step.reached());
    const LatencyHistogram& latency = step.report.latency;
    for (const auto& [name, percent] : percentiles) {
      file << fmt::format("\t{:.1f}", static_cast<double>(latency.percentile(percent)) / 1e3);
    }
    const std::optional<double> server = step.report.usage.server_busy_share();
    file << fmt::format(
        "\t{:.1f}\t{:.3f}\t{}\t{}\t{}\t{}\n", static_cast<double>(latency.max()) / 1e3,
        step.report.usage.own_busy_share(), server ? fmt::format("{:.3f}", *server) : "?",
        limit_name(limit_of(step.report.usage)), step.kept_up() ? "yes" : "no",
        step.report.datagrams ? step.report.datagrams->lost : 0);
  }
  if (!file.flush()) {
    throw std::runtime_error(fmt::format("--plot: {} cannot be written", path.string()));
  }
}

// False when a signal ended it before its time: half a measurement is no point of a curve. Only a
// failure is worth as much as a whole one.
bool run_whole(const RunLoad& run, const LoadOptions& options, Report& report) {
  if (stop_requested) return false;
  try {
    report = run(options);
  } catch (const std::exception&) {
    if (stop_requested) return false;
    throw;
  }
  return !report.interrupted || report.failed();
}

}  // namespace

bool SweepStep::kept_up() const noexcept {
  const double due = asked * report.usage.seconds;
  const double allowed = std::max(due * missing_share_max, missing_min);
  return due - static_cast<double>(report.requests) <= allowed &&
         static_cast<double>(report.held_back) <= allowed;
}

bool SweepResult::failed() const noexcept {
  const auto one = [](const SweepStep& step) { return step.report.failed(); };
  return (peak && peak->failed()) || std::ranges::any_of(steps, one);
}

SweepResult run_sweep(const LoadOptions& options, const RunLoad& run,
                      const std::function<void(const SweepResult&)>& on_step) {
  SweepResult result;
  std::vector<double> rates = options.sweep->rates;
  LoadOptions one = options;
  if (rates.empty()) {
    Report peak;
    result.interrupted = !run_whole(run, one, peak);
    if (result.interrupted) return result;
    result.peak = std::move(peak);
    on_step(result);
    if (result.failed()) return result;
    const double most = result.peak->per_second(result.peak->requests);
    for (unsigned step = 1; step <= auto_steps; ++step) rates.push_back(most * step / auto_steps);
  }
  for (const double rate : rates) {
    one.rate = rate;
    SweepStep step{.asked = rate, .report = {}};
    result.interrupted = !run_whole(run, one, step.report);
    if (!result.interrupted && !step.kept_up() && !step.report.failed()) {
      result.interrupted = !run_whole(run, one, step.report);
    }
    if (result.interrupted) break;
    result.steps.push_back(std::move(step));
    on_step(result);
    if (!result.steps.back().kept_up() || result.failed()) break;
  }
  return result;
}

std::string sweep_head(const LoadOptions& options) {
  return fmt::format(
      "{}, open loop, {:g} s for each rate; latency from the time each was due\n"
      "{:>11} {:>11} {:>9} {:>9} {:>9} {:>9} {:>9} {:>10} {:>7}{}  {}\n",
      title_of(options), options.duration_s, "asked/s", "reached/s", "p50", "p90", "p99", "p99.9",
      "max", "generator", "server", options.udp ? "      lost" : "", "limit");
}

std::string peak_text(const Report& peak) {
  return fmt::format("peak, closed loop: {:.0f}/s; {}\n", peak.per_second(peak.requests),
                     verdict(peak.usage));
}

std::string step_text(const LoadOptions& options, const SweepStep& step) {
  std::string text = fmt::format("{:>11.0f} {:>11.0f}", step.asked, step.reached());
  const auto out = std::back_inserter(text);
  for (const auto& [name, percent] : percentiles) {
    fmt::format_to(out, " {:>9}", duration_text(step.report.latency.percentile(percent)));
  }
  fmt::format_to(out, " {:>9} {:>10} {:>7}", duration_text(step.report.latency.max()),
                 share_text(step.report.usage.own_busy_share()),
                 share_text(step.report.usage.server_busy_share()));
  if (options.udp) {
    fmt::format_to(out, " {:>9}", step.report.datagrams ? step.report.datagrams->lost : 0);
  }
  fmt::format_to(out, "  {}{}\n", limit_name(limit_of(step.report.usage)),
                 step.kept_up() ? "" : ", BEHIND");
  return text;
}

std::string end_text(const LoadOptions& options, const SweepResult& result) {
  std::string text;
  const auto out = std::back_inserter(text);
  if (result.interrupted) {
    fmt::format_to(out, "{:<16}by a signal: the rates that follow were not measured\n", "STOPPED");
  }
  if (!result.steps.empty()) {
    const SweepStep& last = result.steps.back();
    if (result.interrupted) {
      fmt::format_to(out, "{:<16}every rate until then was reached\n", "end");
    } else if (last.kept_up()) {
      fmt::format_to(out, "{:<16}every rate was reached\n", "end");
    } else {
      fmt::format_to(out, "{:<16}at {:.0f}/s only {:.0f}/s were answered ({} held back): {}\n",
                     "end", last.asked, last.reached(), last.report.held_back,
                     culprit(options, last.report));
    }
    fmt::format_to(out, "{:<16}{}\n", "limit", verdict(last.report.usage));
  }
  if (result.failed()) {
    const Report& report = result.steps.empty() ? *result.peak : result.steps.back().report;
    fmt::format_to(out, "{:<16}{} lost, {} wrong answers; first: {}\n", "FAILED", report.lost,
                   report.content_errors, to_text(report.failure));
  }
  return text;
}

std::string to_json(const LoadOptions& options, const SweepResult& result) {
  const auto object = [&](const Report& report, std::optional<double> rate) {
    LoadOptions one = options;
    one.rate = rate;
    std::string json = to_json(one, report);
    json.pop_back();  // its line's end
    return json;
  };
  std::string json = "{\"sweep\":[";
  for (const SweepStep& step : result.steps) {
    if (&step != &result.steps.front()) json += ",";
    json +=
        fmt::format("{{\"asked\":{:.1f},\"reached\":{:.1f},\"kept_up\":{},\"report\":{}}}",
                    step.asked, step.reached(), step.kept_up(), object(step.report, step.asked));
  }
  json += fmt::format("],\"interrupted\":{}", result.interrupted);
  if (result.peak) json += fmt::format(",\"peak\":{}", object(*result.peak, std::nullopt));
  return json + "}\n";
}

std::string plot(const LoadOptions& options, const SweepResult& result) {
  std::error_code error;
  std::filesystem::create_directories(options.plot, error);
  const std::filesystem::path base = options.plot / "latency-over-load";
  write_data(options, result, base.string() + ".tsv");
  std::ofstream script(base.string() + ".gp");
  script << fmt::format(R"gnuplot(set terminal svg size 900,560 background 'white'
set output 'latency-over-load.svg'
set datafile separator tab
set termoption noenhanced
set title "Latency against load, open loop\n{}"
set xlabel 'answers a second'
set ylabel 'latency, us, from the time each was due'
set logscale y
set grid
set key top left
plot )gnuplot",
                        title_of(options));
  constexpr std::array<const char*, 5> curves{"p50", "p90", "p99", "p99.9", "max"};
  for (std::size_t curve = 0; curve < curves.size(); ++curve) {
    script << fmt::format("{}'latency-over-load.tsv' using 2:{} with linespoints pt 7 title '{}'",
                          curve == 0 ? "" : ", ", curve + 3, curves[curve]);
  }
  // Where the generator was full, a point is about the generator.
  script << ", '' using (strcol(10) eq 'generator' ? $2 : 1/0):5 with points pt 6 ps 2 lc rgb "
            "'red' title 'the generator was the limit'\n";
  script.close();
  const std::string failure = draw(options.plot, "latency-over-load");
  if (!failure.empty()) return failure;
  return fmt::format("plot: {0}.svg, its data: {0}.tsv", base.string());
}

}  // namespace lab
