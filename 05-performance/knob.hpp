// One knob, on and off: interleaved rounds, a table, a plot. What chapter 05's lessons share
// besides 01-core/lesson.hpp; no io_uring call is wrapped here. 05-performance/README.md explains
// it.
#pragma once

#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "01-core/lesson.hpp"
#include "05-performance/bench/statistics.hpp"
#include "05-performance/bench/system_call_price.hpp"

namespace lab {

/// Nanoseconds of a clock: CLOCK_MONOTONIC, or CLOCK_PROCESS_CPUTIME_ID for all threads' CPU time.
inline double clock_ns(clockid_t clock) {
  timespec now{};
  need_errno(clock_gettime(clock, &now), "clock_gettime");
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

/// "2.9 times": what was measured, for lab::effect().
inline std::string figure(double value, const char* unit) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g ", value);
  return text + std::string(unit);
}

/// What one round did. Its time and its CPU time are measured around it.
struct Round {
  std::uint64_t operations = 1;
  double extra = 0;  ///< a figure of the lesson's own, for example system calls per operation
};

struct KnobOptions {
  const char* name;                     ///< of the plot's files
  const char* title;                    ///< of the plot
  const char* operation = "operation";  ///< what is counted, in the singular
  const char* sweep = "";               ///< what `at` is; empty: one value per setting, as bars
  const char* extra = "";               ///< what Round::extra is, with its unit; empty: nothing
};

/// The settings of one knob, measured in turn: a disturbance then meets all of them.
class Knob {
 public:
  static constexpr const char* usage = "[rounds]: how often each setting is measured (default 5)";

  Knob(const Lesson& lesson, const KnobOptions& options)
      : options_(options), rounds_(static_cast<std::size_t>(lesson.argument(1, 5, 3, 1000))) {}

  /// @param setting the knob's position: "off", "on". The first one is what others are compared to.
  /// @param round   does the work once, some milliseconds of it
  void add(std::string setting, std::function<Round()> round, double at = 0) {
    points_.push_back({std::move(setting), at, std::move(round), {}, {}, {}});
  }

  /// Measures, prints the table and, when LAB_PLOTS names a folder, plots into it.
  void run() {
    for (Point& point : points_) point.round();  // warm: caches, page faults, the clock speed
    for (std::size_t round = 0; round < rounds_; ++round) {
      for (std::size_t turn = 0; turn < points_.size(); ++turn) {
        measure(points_[(turn + round) % points_.size()]);
      }
    }
    print();
    if (const char* folder = std::getenv("LAB_PLOTS")) plot(folder);
  }

  /// Time per operation of `setting` divided by the first setting's of the same round.
  MedianInterval time_ratio(const std::string& setting, double at = 0) const {
    return ratio(find(setting, at).time_ns, find(points_.front().setting, at).time_ns);
  }
  /// The same of CPU time, user and system of all threads.
  MedianInterval cpu_ratio(const std::string& setting, double at = 0) const {
    return ratio(find(setting, at).cpu_ns, find(points_.front().setting, at).cpu_ns);
  }
  /// The median of Round::extra.
  double extra(const std::string& setting, double at = 0) const {
    return median(find(setting, at).extra);
  }

 private:
  struct Point {
    std::string setting;
    double at;
    std::function<Round()> round;
    std::vector<double> time_ns, cpu_ns, extra;
  };

  static void measure(Point& point) {
    const double begin = clock_ns(CLOCK_MONOTONIC);
    const double cpu_begin = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    const Round round = point.round();
    const double cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_begin;
    const auto operations = static_cast<double>(round.operations);
    point.time_ns.push_back((clock_ns(CLOCK_MONOTONIC) - begin) / operations);
    point.cpu_ns.push_back(cpu / operations);
    point.extra.push_back(round.extra);
  }

  static MedianInterval ratio(const std::vector<double>& of, const std::vector<double>& to) {
    std::vector<double> ratios(of.size());
    for (std::size_t round = 0; round < of.size(); ++round) ratios[round] = of[round] / to[round];
    return bootstrap_median(ratios);
  }

  const Point& find(const std::string& setting, double at) const {
    for (const Point& point : points_) {
      if (point.setting == setting && point.at == at) return point;
    }
    fail("no setting \"" + setting + "\" at " + std::to_string(at));
  }

  static std::string machine() {
    utsname system{};
    uname(&system);
    const std::string release = system.release;
    return "Linux " + release.substr(0, release.find_first_not_of("0123456789.")) + ", " +
           std::to_string(sysconf(_SC_NPROCESSORS_ONLN)) + " processors, " + system_call_text();
  }

  // Lines that begin with "# " hold figures; no test compares them.
  void print() const {
    std::printf("# %s, median of %zu interleaved rounds, [95 %% interval]\n", machine().c_str(),
                rounds_);
    const bool sweep = *options_.sweep != '\0';
    const int at_width = static_cast<int>(std::max<std::size_t>(6, std::strlen(options_.sweep)));
    std::size_t longest = 0;
    for (const Point& point : points_) longest = std::max(longest, point.setting.size());
    const int name_width = static_cast<int>(longest);
    const std::string per = std::string("ns/") + options_.operation;
    std::printf("# ");
    if (sweep) std::printf("%*s ", at_width, options_.sweep);
    std::printf("%-*s %14s %10s  %-20s %-20s %s\n", name_width, "", per.c_str(), "CPU ns",
                "time, ratio", "CPU, ratio", options_.extra);
    for (const Point& point : points_) {
      const MedianInterval time = time_ratio(point.setting, point.at);
      const MedianInterval cpu = cpu_ratio(point.setting, point.at);
      std::printf("# ");
      if (sweep) std::printf("%*g ", at_width, point.at);
      std::printf("%-*s %14.0f %10.0f", name_width, point.setting.c_str(), median(point.time_ns),
                  median(point.cpu_ns));
      for (const MedianInterval& ratio : {time, cpu}) {
        char text[64];
        std::snprintf(text, sizeof text, "%.2f [%.2f %.2f]", ratio.median, ratio.low, ratio.high);
        std::printf("  %-19s", text);
      }
      if (*options_.extra != '\0') std::printf("  %.3g", median(point.extra));
      std::printf("\n");
    }
  }

  // NAME.tsv is the data, with one block a setting; NAME.svg shows its medians and intervals.
  void plot(const std::string& folder) const {
    const std::string base = folder + "/" + options_.name;
    std::string title;
    for (const char* letter = options_.title; *letter != '\0'; ++letter) {
      if (*letter == '_') title += "\\\\";  // or it would lower what follows
      title += *letter;
    }
    std::FILE* data = std::fopen((base + ".tsv").c_str(), "w");
    if (data == nullptr) need_errno(-1, (base + ".tsv").c_str());
    std::fprintf(data, "# %s, %zu interleaved rounds, per %s: median, low, high\n",
                 machine().c_str(), rounds_, options_.operation);
    std::fprintf(data, "# setting\tat\ttime ns\t\t\tCPU ns\t\t\t%s\n", options_.extra);
    std::vector<std::string> names;
    for (const Point& first : points_) {
      if (std::find(names.begin(), names.end(), first.setting) != names.end()) continue;
      if (!names.empty()) std::fprintf(data, "\n\n");
      for (const Point& point : points_) {
        if (point.setting == first.setting) write(data, point, static_cast<double>(names.size()));
      }
      names.push_back(first.setting);
    }
    std::fclose(data);

    std::FILE* gnuplot = popen("gnuplot", "w");
    if (gnuplot == nullptr) need_errno(-1, "gnuplot");
    const bool extra = *options_.extra != '\0';
    std::fprintf(gnuplot,
                 "set terminal svg size %d,420 background 'white' font 'sans,13'\n"
                 "set output '%s.svg'\nset datafile separator tab\n"
                 "set multiplot layout 1,%d title \"%s\\n{/*0.8 %s, medians of %zu interleaved "
                 "rounds, 95 %% intervals}\"\nset yrange [0:*]\nset grid ytics\n",
                 extra ? 1080 : 760, base.c_str(), extra ? 3 : 2, title.c_str(), machine().c_str(),
                 rounds_);
    if (*options_.sweep != '\0') {
      std::fprintf(gnuplot, "set logscale x 2\nset xlabel '%s'\nset key bottom left\n",
                   options_.sweep);
    } else {
      std::fprintf(gnuplot, "set xrange [-0.6:%zu.6]\nset bmargin 5\nset xtics (",
                   names.size() - 1);
      for (std::size_t name = 0; name < names.size(); ++name) {
        std::fprintf(gnuplot, "%s'%s' %zu", name == 0 ? "" : ", ", names[name].c_str(), name);
      }
      std::fprintf(gnuplot, ") rotate by -20 noenhanced\nset style fill solid 0.3\nunset key\n");
    }
    const std::string per = std::string(" per ") + options_.operation;
    panel(gnuplot, base, names, "ns" + per, "3:4:5");
    panel(gnuplot, base, names, "CPU ns" + per, "6:7:8");
    if (extra) panel(gnuplot, base, names, options_.extra, "9:9:9");
    std::fprintf(gnuplot, "unset multiplot\n");
    if (pclose(gnuplot) != 0) fail("gnuplot could not draw " + base + ".svg", "./lab setup bench");
    std::printf("# plot: %s.svg, data: %s.tsv\n", base.c_str(), base.c_str());
  }

  void write(std::FILE* data, const Point& point, double place) const {
    const MedianInterval time = bootstrap_median(point.time_ns);
    const MedianInterval cpu = bootstrap_median(point.cpu_ns);
    std::fprintf(data, "%s\t%g\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.4g\n", point.setting.c_str(),
                 *options_.sweep != '\0' ? point.at : place, time.median, time.low, time.high,
                 cpu.median, cpu.low, cpu.high, median(point.extra));
  }

  void panel(std::FILE* gnuplot, const std::string& base, const std::vector<std::string>& names,
             const std::string& label, const char* columns) const {
    std::fprintf(gnuplot, "set ylabel '%s'\nplot ", label.c_str());
    for (std::size_t name = 0; name < names.size(); ++name) {
      std::fprintf(gnuplot, "%s'%s.tsv' index %zu using 2:%s%s title '%s' noenhanced",
                   name == 0 ? "" : ", ", base.c_str(), name, columns,
                   *options_.sweep != '\0' ? " with yerrorlines pt 7" : ":(0.6) with boxerrorbars",
                   names[name].c_str());
    }
    std::fprintf(gnuplot, "\n");
  }

  KnobOptions options_;
  std::size_t rounds_;
  std::vector<Point> points_;
};

}  // namespace lab
