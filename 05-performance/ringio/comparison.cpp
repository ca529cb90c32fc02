#include "05-performance/ringio/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "05-performance/bench/gnuplot.hpp"

namespace lab {

namespace {

std::string interval(const MedianInterval& value) {
  return fmt::format("{:.3f} [{:.3f} {:.3f}]", value.median, value.low, value.high);
}

std::string json_interval(const MedianInterval& value) {
  return fmt::format("{{\"median\":{:.4f},\"low\":{:.4f},\"high\":{:.4f}}}", value.median,
                     value.low, value.high);
}

std::string json_sample(const IoSample& sample) {
  return fmt::format(
      "{{\"iops\":{:.1f},\"cpu_us\":{:.4f},\"own_cpu_us\":{:.4f},\"p50_us\":{:.1f},"
      "\"p99_us\":{:.1f}}}",
      sample.iops, sample.cpu_us, sample.own_us, sample.p50_us, sample.p99_us);
}

const char* verdict(bool ok) { return ok ? "ok" : "BELOW"; }

IoSample median_sample(const std::vector<IoSample>& samples) {
  const auto of = [&samples](auto field) {
    std::vector<double> values;
    for (const IoSample& sample : samples) values.push_back(sample.*field);
    return median(values);
  };
  return {.iops = of(&IoSample::iops),
          .cpu_us = of(&IoSample::cpu_us),
          .own_us = of(&IoSample::own_us),
          .p50_us = of(&IoSample::p50_us),
          .p99_us = of(&IoSample::p99_us)};
}

std::string script_text(const IoComparison& comparison) {
  std::string ticks;
  for (std::size_t row = 0; row < comparison.rows.size(); ++row) {
    ticks += fmt::format("{}'{}' {}", row == 0 ? "" : ", ", comparison.rows[row].name(), row);
  }
  return fmt::format(
      R"gnuplot(set terminal svg size 900,700 background 'white'
set output 'ringio.svg'
set xrange [-0.5:{0}.5]
set xtics ({1})
set grid ytics
set multiplot layout 2,1 title "ringio / fio, 4 KiB random direct reads, 95 % intervals\n{2}"
set arrow 1 from graph 0, first {3} to graph 1, first {3} nohead lc rgb "gray40"
set ylabel "operations/s, ratio (more is better)"
plot 'ringio.dat' using 1:2:3:4 with yerrorbars pt 7 lw 2 notitle
set arrow 1 from graph 0, first {4} to graph 1, first {4} nohead lc rgb "gray40"
set ylabel "CPU per operation, ratio (less is better)"
plot 'ringio.dat' using 1:5:6:7 with yerrorbars pt 7 lw 2 notitle
unset multiplot
)gnuplot",
      comparison.rows.size() - 1, ticks, comparison.machine, iops_ratio_min, cpu_ratio_max);
}

}  // namespace

std::string IoRow::name() const {
  return fmt::format("depth {}, {}", depth, tuned ? "tuned" : "plain");
}

IoOutcome IoComparison::outcome(std::size_t row) const {
  std::vector<double> iops, cpu, own_cpu;
  std::vector<IoSample> fio, ringio;
  for (const IoPair& pair : pairs) {
    if (pair.row != row) continue;
    iops.push_back(pair.ringio.iops / pair.fio.iops);
    cpu.push_back(pair.ringio.cpu_us / pair.fio.cpu_us);
    own_cpu.push_back(pair.ringio.own_us / pair.fio.own_us);
    fio.push_back(pair.fio);
    ringio.push_back(pair.ringio);
  }
  IoOutcome outcome{.iops = bootstrap_median(iops),
                    .cpu = bootstrap_median(cpu),
                    .own_cpu = bootstrap_median(own_cpu),
                    .fio = median_sample(fio),
                    .ringio = median_sample(ringio)};
  outcome.iops_ok = outcome.iops.median >= iops_ratio_min && outcome.iops.high >= 1;
  outcome.cpu_ok = outcome.cpu.median <= cpu_ratio_max;
  return outcome;
}

bool IoComparison::ok() const {
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const IoOutcome result = outcome(row);
    if (!result.iops_ok || !result.cpu_ok) return false;
  }
  return true;
}

std::string to_text(const IoComparison& comparison) {
  std::string text = fmt::format("{}\n{}; {}\n\n", comparison.machine, comparison.fio_version,
                                 comparison.settings);
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "{:<17}{:>15} {:^21} {:>13} {:^21} {:>5} {:>13}  {}\n", "ringio / fio",
                 "operations/s", "ratio [95 %]", "CPU us/op", "ratio [95 %]", "own", "p99 us",
                 "targets");
  for (std::size_t row = 0; row < comparison.rows.size(); ++row) {
    const IoOutcome outcome = comparison.outcome(row);
    fmt::format_to(out, "{:<17}{:>15} {:^21} {:>13} {:^21} {:>5.2f} {:>13}  IOPS {}, CPU {}\n",
                   comparison.rows[row].name(),
                   fmt::format("{:.0f} / {:.0f}", outcome.ringio.iops, outcome.fio.iops),
                   interval(outcome.iops),
                   fmt::format("{:.2f} / {:.2f}", outcome.ringio.cpu_us, outcome.fio.cpu_us),
                   interval(outcome.cpu), outcome.own_cpu.median,
                   fmt::format("{:.0f} / {:.0f}", outcome.ringio.p99_us, outcome.fio.p99_us),
                   verdict(outcome.iops_ok), verdict(outcome.cpu_ok));
  }
  fmt::format_to(
      out,
      "\nTargets: operations/s >= {} with an interval that reaches 1; CPU per operation <= {}.\n"
      "ratio: median of the rounds' ratios with its 95 % bootstrap interval. CPU: user and system\n"
      "time of the whole program, without its start-up (fio {:.0f} ms, ringio {:.0f} ms). own: "
      "the\n"
      "ratio of what the programs say of themselves. tuned: registered buffers and files, plain:\n"
      "neither.\n",
      iops_ratio_min, cpu_ratio_max, comparison.fio_start_s * 1e3, comparison.ringio_start_s * 1e3);
  return text;
}

std::string to_json(const IoComparison& comparison) {
  std::string json = fmt::format(
      "{{\"machine\":\"{}\",\"fio\":\"{}\",\"settings\":\"{}\",\"fio_start_s\":{:.4f},"
      "\"ringio_start_s\":{:.4f},\n\"rows\":[",
      comparison.machine, comparison.fio_version, comparison.settings, comparison.fio_start_s,
      comparison.ringio_start_s);
  const auto out = std::back_inserter(json);
  for (std::size_t row = 0; row < comparison.rows.size(); ++row) {
    const IoOutcome outcome = comparison.outcome(row);
    fmt::format_to(out,
                   "{}\n{{\"row\":\"{}\",\"depth\":{},\"iops_ratio\":{},\"cpu_ratio\":{},"
                   "\"own_cpu_ratio\":{},\"fio\":{},\"ringio\":{},\"iops_verdict\":\"{}\","
                   "\"cpu_verdict\":\"{}\"}}",
                   row == 0 ? "" : ",", comparison.rows[row].name(), comparison.rows[row].depth,
                   json_interval(outcome.iops), json_interval(outcome.cpu),
                   json_interval(outcome.own_cpu), json_sample(outcome.fio),
                   json_sample(outcome.ringio), verdict(outcome.iops_ok), verdict(outcome.cpu_ok));
  }
  json += "\n],\n\"rounds\":[";
  for (std::size_t place = 0; place < comparison.pairs.size(); ++place) {
    const IoPair& pair = comparison.pairs[place];
    fmt::format_to(out, "{}\n{{\"round\":{},\"row\":\"{}\",\"fio\":{},\"ringio\":{}}}",
                   place == 0 ? "" : ",", pair.round, comparison.rows[pair.row].name(),
                   json_sample(pair.fio), json_sample(pair.ringio));
  }
  return json + "\n]}\n";
}

std::string plot(const IoComparison& comparison, const std::filesystem::path& folder) {
  std::ofstream(folder / "ringio.json") << to_json(comparison);
  std::ofstream data(folder / "ringio.dat");
  data << "# row, operations/s: ratio low high, CPU: ratio low high\n";
  for (std::size_t row = 0; row < comparison.rows.size(); ++row) {
    const IoOutcome outcome = comparison.outcome(row);
    data << fmt::format("{} {:.4f} {:.4f} {:.4f} {:.4f} {:.4f} {:.4f}\n", row, outcome.iops.median,
                        outcome.iops.low, outcome.iops.high, outcome.cpu.median, outcome.cpu.low,
                        outcome.cpu.high);
  }
  data.close();
  std::ofstream script(folder / "ringio.gp");
  script << script_text(comparison);
  script.close();
  if (const std::string failure = draw(folder, "ringio"); !failure.empty()) return failure;
  return fmt::format("plot: {0}/ringio.svg, everything measured: {0}/ringio.json", folder.string());
}

}  // namespace lab
