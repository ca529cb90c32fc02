#include "05-performance/bench/lesson.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>
#include <vector>

namespace lab {

namespace {

// Medians of one server on one row.
struct Figures {
  double system_calls = 0;
  double mb_per_second = 0;
  double p99_us = 0;
};

Figures figures_of(const Results& results, std::size_t row, const std::string& variant) {
  std::vector<double> calls, rates, latencies;
  for (const Run& run : results.runs) {
    if (run.row != row || results.variants[run.variant].name != variant) continue;
    if (run.system_calls) calls.push_back(*run.system_calls);
    rates.push_back(run.mb_per_second);
    latencies.push_back(run.p99_us);
  }
  return {median(calls), median(rates), median(latencies)};
}

constexpr std::size_t large_message = std::size_t{256} << 10;

// "16 and 16 KiB"
std::string buffers_text(const Comparison& comparison) {
  const auto size = [](const std::string& variant) {
    const std::string words = variant.substr(variant.find('-') + 1);
    return words.substr(0, words.find('K'));
  };
  return fmt::format("{} and {} KiB", size(comparison.first), size(comparison.second));
}

std::string kernel_of(const Results& results) {
  const std::string& kernel = results.circumstances.kernel;
  return kernel.substr(0, kernel.find_first_not_of("0123456789.", kernel.find(' ') + 1));
}

std::string head(const Results& results) {
  return fmt::format(
      "{}, {} processors, a system call takes {:.0f} ns; {} rounds of {:g} s; io_uring / epoll, "
      "medians, 95 % "
      "intervals{}",
      kernel_of(results), results.circumstances.cores, results.circumstances.system_call_ns,
      results.circumstances.rounds, results.circumstances.seconds,
      results.cpu_of_process ? "; CPU of the server's process" : "");
}

// A curve: rows that differ in the number of connections alone, under one comparison. In the data
// it is a block, and gnuplot's `index` counts blocks.
struct Curve {
  const Comparison* comparison;
  std::size_t size;
  unsigned depth;
  bool stream;
  std::vector<std::size_t> rows;

  std::string load() const {
    if (stream) return "streams";
    return size < 1024 ? fmt::format("{} B", size) : fmt::format("{} KiB", size >> 10);
  }
};

std::vector<Curve> curves_of(const Results& results) {
  std::vector<Curve> curves;
  for (const Comparison& comparison : results.comparisons) {
    for (std::size_t index = 0; index < results.rows.size(); ++index) {
      const Row& row = results.rows[index];
      if (results.compare(comparison, index).rounds == 0) continue;
      const auto same = [&](const Curve& curve) {
        return curve.comparison == &comparison && curve.size == row.size &&
               curve.depth == row.depth && curve.stream == row.stream;
      };
      auto curve = std::ranges::find_if(curves, same);
      if (curve == curves.end()) {
        curves.push_back({&comparison, row.size, row.depth, row.stream, {}});
        curve = curves.end() - 1;
      }
      curve->rows.push_back(index);
    }
  }
  return curves;
}

void write_data(const Results& results, const std::vector<Curve>& curves,
                const std::filesystem::path& path) {
  std::ofstream file(path);
  file << "# " << head(results) << "\n# client: ringload " << results.circumstances.client_options
       << "\n# connections\tbytes\tdepth\trequests ratio\tlow\thigh\tCPU ratio\tlow\thigh\t"
          "calls/request io_uring\tepoll\tCPU us/request io_uring\tepoll\trequests/s "
          "io_uring\tepoll\tserver's core was full\n";
  for (const Curve& curve : curves) {
    if (&curve != &curves.front()) file << "\n\n";
    file << fmt::format("# {}, depth {}; {}\n", curve.load(), curve.depth, curve.comparison->text);
    for (const std::size_t index : curve.rows) {
      const Row& row = results.rows[index];
      const Outcome outcome = results.compare(*curve.comparison, index);
      const Figures ring = figures_of(results, index, curve.comparison->first);
      const Figures epoll = figures_of(results, index, curve.comparison->second);
      file << fmt::format(
          "{}\t{}\t{}\t{:.4f}\t{:.4f}\t{:.4f}\t{:.4f}\t{:.4f}\t{:.4f}\t{:.4f}\t{:.4f}"
          "\t{:.3f}\t{:.3f}\t{:.0f}\t{:.0f}\t{}\n",
          row.connections, row.size, row.depth, outcome.requests.median, outcome.requests.low,
          outcome.requests.high, outcome.cpu.median, outcome.cpu.low, outcome.cpu.high,
          ring.system_calls, epoll.system_calls, outcome.first_cpu_us, outcome.second_cpu_us,
          outcome.first_requests, outcome.second_requests,
          outcome.requests_count ? "yes"
          : outcome.at_least     ? "epoll's"
                                 : "no");
    }
  }
  if (!file.flush()) throw std::runtime_error(fmt::format("{} cannot be written", path.string()));
}

// One panel: the CPU ratios of the curves that `wanted` picks.
template <class Wanted, class Title>
std::string cpu_panel(const std::vector<Curve>& curves, Wanted wanted, Title title) {
  std::string text;
  for (std::size_t index = 0; index < curves.size(); ++index) {
    if (!wanted(curves[index])) continue;
    text += fmt::format("{}data index {} using 1:7:8:9 with yerrorlines pt 7 title '{}'",
                        text.empty() ? "plot " : ", ", index, title(curves[index]));
  }
  return text + "\n";
}

std::string calls_panel(const std::vector<Curve>& curves) {
  std::string text;
  for (std::size_t index = 0; index < curves.size(); ++index) {
    const Curve& curve = curves[index];
    if (curve.size != curves.front().size || curve.comparison != curves.front().comparison ||
        curve.stream) {
      continue;
    }
    for (const auto& [column, name] : {std::pair(11, "epoll"), std::pair(10, "io_uring")}) {
      text += fmt::format("{}data index {} using 1:{} with linespoints pt 7 title '{}, depth {}'",
                          text.empty() ? "plot " : ", ", index, column, name, curve.depth);
    }
  }
  return text + "\n";
}

}  // namespace

std::string lesson_table(const Results& results) {
  std::string text =
      "| load | buffers, io_uring and epoll | CPU a request, io_uring / epoll | calls a request | "
      "requests a second, io_uring / epoll |\n| --- | --- | --- | --- | --- |\n";
  const auto out = std::back_inserter(text);
  constexpr std::array<std::pair<const char*, std::size_t>, 7> chosen{{{"1x64B", 0},
                                                                       {"64x64B", 0},
                                                                       {"4096x64B", 0},
                                                                       {"1x256KiB", 0},
                                                                       {"stream8", 0},
                                                                       {"stream8", 1},
                                                                       {"stream8", 2}}};
  for (const auto& [name, which] : chosen) {
    const auto row = std::ranges::find(results.rows, name, &Row::name);
    if (row == results.rows.end() || which >= results.comparisons.size()) continue;
    const Comparison& comparison = results.comparisons[which];
    const auto index = static_cast<std::size_t>(row - results.rows.begin());
    const Outcome outcome = results.compare(comparison, index);
    const auto interval = [](const MedianInterval& value) {
      return fmt::format("{:.2f} [{:.2f} {:.2f}]", value.median, value.low, value.high);
    };
    fmt::format_to(out, "| {} | {} | {} | {:.2f} and {:.2f} | {}{} |\n", row->text,
                   buffers_text(comparison), interval(outcome.cpu),
                   figures_of(results, index, comparison.first).system_calls,
                   figures_of(results, index, comparison.second).system_calls,
                   interval(outcome.requests), outcome.requests_count ? "" : " *");
  }
  return text + "\n\\* the client was the limit: no server's figure\n";
}

std::string record_lesson(const Results& results, const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  const std::filesystem::path base = folder / "epoll-vs-io_uring";
  const std::vector<Curve> curves = curves_of(results);
  if (curves.empty()) throw std::runtime_error("nothing was measured");
  write_data(results, curves, base.string() + ".tsv");
  const Comparison* same = curves.front().comparison;
  const auto load = [](const Curve& curve) { return curve.load(); };
  const auto at_depth = [&](unsigned depth) {
    return cpu_panel(
        curves,
        [&](const Curve& curve) {
          return curve.comparison == same && curve.depth == depth && !curve.stream;
        },
        load);
  };
  const std::string buffers = cpu_panel(
      curves,
      [](const Curve& curve) {
        return curve.stream || (curve.size == large_message && curve.depth == 1);
      },
      [](const Curve& curve) {
        return fmt::format("{}: {}", curve.load(), buffers_text(*curve.comparison));
      });
  const std::string script = fmt::format(
      R"gnuplot(set terminal svg size 1080,820 background 'white' font 'sans,13'
set output '{0}.svg'
data = '{0}.tsv'
set datafile separator tab
set logscale x 2
set xlabel 'connections'
set grid
set termoption noenhanced
set multiplot layout 2,2 title "io_uring against epoll: the same echo, client, socket options\n{1}"
set key bottom right
set xtics 4
set yrange [0:*]
set arrow 1 from graph 0, first 1 to graph 1, first 1 nohead lc rgb 'gray40'
set ylabel 'CPU a request, io_uring / epoll'
set title 'CPU, depth 1, buffers of 16 KiB (below 1: io_uring needs less)'
{2}set title 'CPU, depth 16'
{3}set yrange [0:2]
set key top center maxrows 3 font ',11'
set xtics 2
set title 'CPU, large messages and streams, by the buffers of io_uring and epoll'
{4}set yrange [0:*]
unset arrow 1
set xtics 4
set key center right maxrows auto font ',13'
set ylabel 'system calls a request'
set title 'System calls, {5}'
{6}unset multiplot
)gnuplot",
      base.string(), head(results), at_depth(1), at_depth(16), buffers, curves.front().load(),
      calls_panel(curves));
  std::FILE* gnuplot = popen("gnuplot", "w");
  const bool written = gnuplot != nullptr && std::fputs(script.c_str(), gnuplot) >= 0;
  if (gnuplot == nullptr || pclose(gnuplot) != 0 || !written) {
    return fmt::format("data: {}.tsv; no picture: gnuplot is missing or failed (./lab setup bench)",
                       base.string());
  }
  return fmt::format("plot: {0}.svg, data: {0}.tsv", base.string());
}

}  // namespace lab
