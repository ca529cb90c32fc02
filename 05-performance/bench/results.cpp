#include "05-performance/bench/results.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <iterator>

#include "05-performance/bench/gnuplot.hpp"
#include "05-performance/bench/system_call_price.hpp"
#include "05-performance/bench/wake_up_price.hpp"

namespace lab {

namespace {

constexpr double core_full_share = 0.97;
// Above this, whether the server would have had idle time cannot be told: others have filled it.
constexpr double others_share_max = 0.03;

std::size_t index_of(const std::vector<Variant>& variants, const std::string& name) {
  const auto found = std::ranges::find(variants, name, &Variant::name);
  return static_cast<std::size_t>(found - variants.begin());
}

std::string thousands(double value) {
  if (value >= 999'500) return fmt::format("{:.2f} M", value / 1e6);
  if (value >= 9'995) return fmt::format("{:.0f} k", value / 1e3);
  return fmt::format("{:.0f}", value);
}

std::string interval(const MedianInterval& value) {
  return fmt::format("{:.3f} [{:.3f} {:.3f}]", value.median, value.low, value.high);
}

std::string requests_ratio(const Outcome& outcome) {
  const std::string text = interval(outcome.requests);
  if (outcome.requests_count) return " " + text;
  return outcome.at_least ? "(>" + text + ")" : "(" + text + ")";
}

// "ok", "wanted" (the harder bound holds too) or "BELOW"; nothing without a bound.
std::string judge(std::optional<double> must, std::optional<double> wanted, bool met_must,
                  bool met_wanted) {
  if (!must) return "";
  if (!met_must) return "BELOW";
  return wanted && met_wanted ? "wanted" : "ok";
}

struct Verdict {
  std::string requests;
  std::string cpu;
  bool loss = false;
};

Verdict judge(const Target& target, const Outcome& outcome) {
  Verdict verdict;
  const double requests = outcome.requests.median;
  const double cpu = outcome.cpu.median;
  verdict.requests = judge(target.requests_min, target.requests_wanted,
                           target.requests_min && requests >= *target.requests_min,
                           target.requests_wanted && requests >= *target.requests_wanted);
  // Where the servers did not set the pace, a ratio proves nothing, except that the first server
  // was so much better that only the second was at its limit.
  const bool proven = outcome.requests_count || (outcome.at_least && verdict.requests != "BELOW");
  if (!verdict.requests.empty() && !proven) verdict.requests = "not counted";
  verdict.cpu = judge(target.cpu_max, target.cpu_wanted, target.cpu_max && cpu <= *target.cpu_max,
                      target.cpu_wanted && cpu <= *target.cpu_wanted);
  verdict.loss = outcome.requests.high < loss_below;
  return verdict;
}

std::string bounds(const Target& target) {
  std::string text;
  if (target.requests_min) text += fmt::format("req >= {:.2f}", *target.requests_min);
  if (target.cpu_max) text += fmt::format(", CPU <= {:.2f}", *target.cpu_max);
  if (target.requests_wanted) {
    text += fmt::format(" (wanted {:.2f}, {:.2f})", *target.requests_wanted, *target.cpu_wanted);
  }
  return text;
}

std::string comparison_table(const Results& results, const Comparison& comparison, bool& below) {
  std::string text = comparison.text + "\n";
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "{:<20} {:>17} {:^24} {:>13} {:^21} {:>6}  {:<8}  {}\n", "row", "requests/s",
                 "ratio [95 %]", "CPU us/req", "ratio [95 %]", "full", "limit",
                 comparison.judged ? "targets" : "");
  for (std::size_t row = 0; row < results.rows.size(); ++row) {
    const Outcome outcome = results.compare(comparison, row);
    if (outcome.rounds == 0) continue;
    const Target target = comparison.target(results.rows[row]);
    const Verdict verdict = judge(target, outcome);
    std::string marks;
    if (!verdict.requests.empty()) marks += "requests " + verdict.requests;
    if (!verdict.cpu.empty()) marks += fmt::format(", CPU {}", verdict.cpu);
    if (comparison.judged && verdict.loss) marks += marks.empty() ? "LOSS" : ", LOSS";
    if (comparison.judged && marks.empty()) marks = "ok, no loss";
    if (const std::string wanted = bounds(target); !wanted.empty()) marks += ": " + wanted;
    below = below || (comparison.judged && verdict.loss) || verdict.requests == "BELOW" ||
            verdict.cpu == "BELOW";
    fmt::format_to(out, "{:<20} {:>17} {:^24} {:>13} {:^21} {:>4.0f} %  {:<8}  {}\n",
                   results.rows[row].text,
                   thousands(outcome.first_requests) + " / " + thousands(outcome.second_requests),
                   requests_ratio(outcome),
                   fmt::format("{:.2f} / {:.2f}", outcome.first_cpu_us, outcome.second_cpu_us),
                   interval(outcome.cpu), outcome.full_share * 100, outcome.limit, marks);
  }
  return text + "\n";
}

template <class Field>
double median_of(const Results& results, std::size_t row, std::size_t variant, Field field) {
  std::vector<double> values;
  for (const Run& run : results.runs) {
    if (run.row == row && run.variant == variant) values.push_back(field(run));
  }
  return median(values);
}

// What kept a server from answering more, by the medians of its runs on one row.
const char* limit_of(const Results& results, std::size_t row, std::size_t variant) {
  const auto of = [&](auto field) { return median_of(results, row, variant, field); };
  if (of([](const Run& run) { return run.others_share; }) > others_share_max) return "others";
  if (of([](const Run& run) { return run.server_busy; }) >= core_full_share) return "server";
  if (of([](const Run& run) { return run.client_busy; }) >= core_full_share) return "client";
  return "wake-ups";
}

// What each server did on its own: latency, system calls, and how quiet the machine was.
std::string variant_table(const Results& results, bool& below) {
  std::string text = "each server alone (medians)\n";
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "{:<20} {:<20} {:>8} {:>8} {:>8} {:>9} {:>8} {:>7} {:>7} {:>7}  {}\n", "row",
                 "server", "MB/s", "p50 us", "p99 us", "calls/req", "core", "client", "others",
                 "steal", "targets");
  for (std::size_t row = 0; row < results.rows.size(); ++row) {
    for (std::size_t variant = 0; variant < results.variants.size(); ++variant) {
      const auto of = [&](auto field) { return median_of(results, row, variant, field); };
      if (of([](const Run& run) { return run.requests_per_second; }) == 0) continue;
      std::vector<double> calls;
      double steal_max = 0;
      for (const Run& run : results.runs) {
        if (run.row != row || run.variant != variant) continue;
        if (run.system_calls) calls.push_back(*run.system_calls);
        steal_max = std::max(steal_max, run.steal_share);
      }
      std::string mark;
      if (results.rows[row].name == "512x64B" && !calls.empty()) {
        const bool ok = median(calls) <= system_calls_max;
        below = below || !ok;
        mark = fmt::format("calls {}: <= {}", ok ? "ok" : "BELOW", system_calls_max);
      }
      fmt::format_to(out,
                     "{:<20} {:<20} {:>8.0f} {:>8.0f} {:>8.0f} {:>9} {:>6.1f} % {:>5.0f} % "
                     "{:>5.1f} % {:>5.1f} "
                     "%  {}\n",
                     results.rows[row].text, results.variants[variant].name,
                     of([](const Run& run) { return run.mb_per_second; }),
                     of([](const Run& run) { return run.p50_us; }),
                     of([](const Run& run) { return run.p99_us; }),
                     calls.empty() ? "-" : fmt::format("{:.3f}", median(calls)),
                     of([](const Run& run) { return run.server_busy * 100; }),
                     of([](const Run& run) { return run.client_busy * 100; }),
                     of([](const Run& run) { return run.others_share * 100; }), steal_max * 100,
                     mark);
    }
  }
  return text;
}

std::string json_interval(const MedianInterval& value) {
  return fmt::format("{{\"median\":{:.4f},\"low\":{:.4f},\"high\":{:.4f}}}", value.median,
                     value.low, value.high);
}

std::string json_text(const std::string& text) {
  std::string quoted = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') quoted += '\\';
    quoted += letter;
  }
  return quoted + '"';
}

}  // namespace

bool Run::server_full() const noexcept {
  return server_busy >= core_full_share && others_share <= others_share_max;
}

Circumstances find_circumstances() {
  Circumstances circumstances;
  std::ifstream processors("/proc/cpuinfo");
  for (std::string line; std::getline(processors, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) {
      circumstances.processor = line.substr(colon + 2);
      break;
    }
  }
  utsname system{};
  uname(&system);
  circumstances.kernel = fmt::format("{} {}", system.sysname, system.release);
  circumstances.cores = static_cast<std::size_t>(std::max(0L, sysconf(_SC_NPROCESSORS_ONLN)));
  circumstances.date = fmt::format("{:%F %H:%M}", fmt::localtime(std::time(nullptr)));
  std::ifstream("/proc/sys/net/ipv4/tcp_congestion_control") >> circumstances.congestion;
  circumstances.system_call_ns = system_call_ns();
  circumstances.wake_up_us = wake_up_us();
  return circumstances;
}

std::string machine_text(const Circumstances& circumstances) {
  return fmt::format("{}, {} cores, a system call takes {:.0f} ns, a wake-up {:.1f} us, {}, {}",
                     circumstances.processor, circumstances.cores, circumstances.system_call_ns,
                     circumstances.wake_up_us, circumstances.kernel, circumstances.date);
}

std::string to_text(const Circumstances& circumstances) {
  return fmt::format(
      "{}\nserver on core {}, client on core {}; {} rounds of {:g} s each; priority: {}; "
      "congestion control of the system: {}{}\nclient: ringload {}\n",
      machine_text(circumstances), circumstances.server_cpu, circumstances.client_cpu,
      circumstances.rounds, circumstances.seconds, circumstances.priority, circumstances.congestion,
      circumstances.receive_steering ? "; packets steered to their reader's core (--rfs)" : "",
      circumstances.client_options);
}

Outcome Results::compare(const Comparison& comparison, std::size_t row) const {
  const std::size_t first = index_of(variants, comparison.first);
  const std::size_t second = index_of(variants, comparison.second);
  std::vector<double> requests, requests_full, requests_at_least, cpu, first_requests,
      second_requests, first_cpu, second_cpu;
  for (const Run& a : runs) {
    if (a.row != row || a.variant != first) continue;
    for (const Run& b : runs) {
      if (b.row != row || b.variant != second || b.round != a.round) continue;
      const double ratio = a.requests_per_second / b.requests_per_second;
      requests.push_back(ratio);
      if (a.server_full() && b.server_full()) requests_full.push_back(ratio);
      if (!a.server_full() && b.server_full()) requests_at_least.push_back(ratio);
      first_cpu.push_back(cpu_of_process ? a.process_us : a.core_us);
      second_cpu.push_back(cpu_of_process ? b.process_us : b.core_us);
      cpu.push_back(first_cpu.back() / second_cpu.back());
      first_requests.push_back(a.requests_per_second);
      second_requests.push_back(b.requests_per_second);
    }
  }
  Outcome outcome;
  outcome.rounds = requests.size();
  if (requests.empty()) return outcome;
  outcome.full_share =
      static_cast<double>(requests_full.size()) / static_cast<double>(requests.size());
  outcome.requests_count = 2 * requests_full.size() >= requests.size();
  outcome.at_least = 2 * requests_at_least.size() >= requests.size();
  outcome.limit = outcome.requests_count ? "server" : limit_of(*this, row, first);
  outcome.requests = bootstrap_median(outcome.requests_count ? requests_full : requests);
  outcome.cpu = bootstrap_median(cpu);
  outcome.first_requests = median(first_requests);
  outcome.second_requests = median(second_requests);
  outcome.first_cpu_us = median(first_cpu);
  outcome.second_cpu_us = median(second_cpu);
  return outcome;
}

std::string to_text(const Results& results, bool& below) {
  std::string text = to_text(results.circumstances) + "\n";
  for (const Comparison& comparison : results.comparisons) {
    text += comparison_table(results, comparison, below);
  }
  text += variant_table(results, below);
  text += fmt::format(
      "\nratio: median of the rounds' ratios with its 95 % bootstrap interval. CPU: {}.\n"
      "full: rounds in which the server's core was at least {:.0f} % busy, and at most {:.0f} % of "
      "it with others,\nfor both servers. Where that was rare the servers did not set the pace: "
      "the "
      "ratio of requests/s is in\nbrackets, with > when only the second server was at its limit.\n"
      "limit: what kept the first server from answering more; wake-ups: neither core was full, "
      "each "
      "waited for the\nother. others: time of the server's core that neither the server nor "
      "idleness took. steal: largest seen.\n",
      results.cpu_of_process ? "time of the server's processes" : "busy time of the server's core",
      core_full_share * 100, others_share_max * 100);
  const auto disturbed = std::ranges::count_if(
      results.runs, [](const Run& run) { return run.others_share > others_share_max; });
  if (10 * static_cast<std::size_t>(disturbed) > results.runs.size()) {
    text += fmt::format(
        "NOISY: in {} of {} runs other processes took more than {:.0f} % of the server's core.\n",
        disturbed, results.runs.size(), others_share_max * 100);
  }
  return text;
}

std::string to_json(const Results& results) {
  const Circumstances& with = results.circumstances;
  std::string json = fmt::format(
      "{{\"processor\":{},\"kernel\":{},\"cores\":{},\"system_call_ns\":{:.0f},"
      "\"wake_up_us\":{:.1f},\"date\":{},\"server_cpu\":{},"
      "\"client_cpu\":{},\"rounds\":{},\"seconds\":{},\"priority\":{},\"congestion\":{},"
      "\"receive_steering\":{},\"client_options\":{},\n\"comparisons\":[",
      json_text(with.processor), json_text(with.kernel), with.cores, with.system_call_ns,
      with.wake_up_us, json_text(with.date), with.server_cpu, with.client_cpu, with.rounds,
      with.seconds, json_text(with.priority), json_text(with.congestion), with.receive_steering,
      json_text(with.client_options));
  const auto out = std::back_inserter(json);
  const char* separator = "\n";
  for (const Comparison& comparison : results.comparisons) {
    for (std::size_t row = 0; row < results.rows.size(); ++row) {
      const Outcome outcome = results.compare(comparison, row);
      if (outcome.rounds == 0) continue;
      const Verdict verdict = judge(comparison.target(results.rows[row]), outcome);
      fmt::format_to(out,
                     "{}{{\"comparison\":{},\"row\":{},\"rounds\":{},\"requests_ratio\":{},"
                     "\"requests_count\":{},\"at_least\":{},\"cpu_ratio\":{},\"full_share\":{:.3f},"
                     "\"limit\":{},"
                     "\"requests_verdict\":{},\"cpu_verdict\":{},\"loss\":{}}}",
                     separator, json_text(comparison.name), json_text(results.rows[row].name),
                     outcome.rounds, json_interval(outcome.requests), outcome.requests_count,
                     outcome.at_least, json_interval(outcome.cpu), outcome.full_share,
                     json_text(outcome.limit), json_text(verdict.requests), json_text(verdict.cpu),
                     comparison.judged && verdict.loss);
      separator = ",\n";
    }
  }
  json += "\n],\n\"runs\":[";
  separator = "\n";
  for (const Run& run : results.runs) {
    fmt::format_to(
        out,
        "{}{{\"round\":{},\"row\":{},\"server\":{},\"requests_per_second\":{:.1f},"
        "\"mb_per_second\":{:.2f},\"core_us\":{:.4f},\"process_us\":{:.4f},\"server_busy\":{:.4f},"
        "\"others_share\":{:.4f},\"steal_share\":{:.4f},\"client_busy\":{:.4f},\"p50_us\":{:.1f},"
        "\"p99_us\":{:.1f},\"system_calls\":{}}}",
        separator, run.round, json_text(results.rows[run.row].name),
        json_text(results.variants[run.variant].name), run.requests_per_second, run.mb_per_second,
        run.core_us, run.process_us, run.server_busy, run.others_share, run.steal_share,
        run.client_busy, run.p50_us, run.p99_us,
        run.system_calls ? fmt::format("{:.4f}", *run.system_calls) : "null");
    separator = ",\n";
  }
  return json + "\n]}\n";
}

std::string plot(const Results& results, const std::filesystem::path& directory) {
  std::ofstream data(directory / "ratios.dat");
  std::ofstream script(directory / "ratios.gp");
  std::string requests_plot, cpu_plot, ticks;
  std::size_t block = 0;
  for (const Comparison& comparison : results.comparisons) {
    if (!comparison.judged) continue;
    data << "# " << comparison.name << ": place, requests low high, CPU low high\n";
    for (std::size_t row = 0; row < results.rows.size(); ++row) {
      const Outcome outcome = results.compare(comparison, row);
      if (outcome.rounds == 0) continue;
      data << fmt::format("{:.2f} {:.4f} {:.4f} {:.4f} {:.4f} {:.4f} {:.4f}\n",
                          static_cast<double>(row) + 0.18 * static_cast<double>(block),
                          outcome.requests.median, outcome.requests.low, outcome.requests.high,
                          outcome.cpu.median, outcome.cpu.low, outcome.cpu.high);
    }
    data << "\n\n";
    const char* separator = block == 0 ? "" : ", ";
    requests_plot +=
        fmt::format("{}'ratios.dat' index {} using 1:2:3:4 with yerrorbars pt 7 lw 2 title '{}'",
                    separator, block, comparison.text);
    cpu_plot +=
        fmt::format("{}'ratios.dat' index {} using 1:5:6:7 with yerrorbars pt 7 lw 2 notitle",
                    separator, block);
    ++block;
  }
  if (block == 0) return "no plot: no comparison of the two servers was measured";
  for (std::size_t row = 0; row < results.rows.size(); ++row) {
    ticks += fmt::format("{}'{}' {}", row == 0 ? "" : ", ", results.rows[row].text, row);
  }
  const std::string panels = fmt::format(
      R"gnuplot(set xrange [-0.4:{}.8]
set xtics ({}) rotate by -20
set grid ytics
set key outside top center vertical
set multiplot layout 2,1 title "echo-server / epoll-echo, one core, 95 % intervals\n{}, {}, {}"
set arrow 1 from graph 0, first 1 to graph 1, first 1 nohead lc rgb "gray40"
set ylabel "requests/s, ratio (more is better)"
plot {}
set ylabel "CPU per request, ratio (less is better)"
plot {}
unset multiplot
)gnuplot",
      results.rows.size() - 1, ticks, results.circumstances.processor, results.circumstances.kernel,
      results.circumstances.date, requests_plot, cpu_plot);
  script << "set terminal svg size 1000,900 background 'white'\nset output 'ratios.svg'\n"
         << panels << "set terminal pngcairo size 1000,900\nset output 'ratios.png'\n"
         << panels;
  data.close();
  script.close();
  if (const std::string failure = draw(directory, "ratios"); !failure.empty()) return failure;
  return fmt::format("plot: {0}/ratios.svg and {0}/ratios.png", directory.string());
}

}  // namespace lab
