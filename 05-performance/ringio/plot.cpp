#include "05-performance/ringio/plot.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "05-performance/bench/gnuplot.hpp"

namespace lab {

namespace {

// Percentiles on a scale where each step takes away nine tenths of what is left: 90, 99, 99.9, ...
// Tails are what latency is about, and on a linear scale nobody sees them.
void write_latency(std::ofstream& data, const LatencyHistogram& latency) {
  data << "# one in so many is slower, percentile, microseconds\n";
  const double total = static_cast<double>(latency.count());
  for (double above = 1; latency.count() > 0 && above * total >= 0.5; above *= 0.891) {
    const double percent = 100 * (1 - above);
    data << fmt::format("{:.3f} {:.7f} {:.3f}\n", 1 / above, percent,
                        static_cast<double>(latency.percentile(percent)) / 1e3);
  }
  data << "\n\n";
}

void write_timeline(std::ofstream& data, const Timeline& timeline) {
  data << "# seconds, operations a second\n";
  for (std::size_t place = 0; place < timeline.size(); ++place) {
    data << fmt::format("{:.3f} {:.1f}\n", timeline.interval_s() * static_cast<double>(place + 1),
                        timeline.per_second(place));
  }
}

std::string script_text(const IoOptions& options, const IoReport& report) {
  const std::string reads = "'latency.dat' index 0 using 1:3 with steps lw 2 title 'reads'";
  const std::string writes = "'latency.dat' index 1 using 1:3 with steps lw 2 title 'writes'";
  std::string curves = report.read_latency.count() > 0 ? reads : "";
  if (report.write_latency.count() > 0) curves += (curves.empty() ? "" : ", ") + writes;
  return fmt::format(
      R"gnuplot(set terminal svg size 900,500 background 'white'
set grid
set key left top
set output 'latency.svg'
set title 'Latency: {0} B blocks, depth {1}, {2} job(s)'
set logscale xy
set xrange [1:*]
set xtics ('0' 1, '90' 10, '99' 100, '99.9' 1e3, '99.99' 1e4, '99.999' 1e5, '99.9999' 1e6)
set xlabel 'percent of the operations that were at least as fast'
set ylabel 'microseconds'
plot {3}
reset
set terminal svg size 900,400 background 'white'
set grid
set output 'iops.svg'
set title 'Operations a second: {0} B blocks, depth {1}, {2} job(s)'
set yrange [0:*]
set xlabel 'seconds'
plot 'iops.dat' using 1:2 with steps lw 2 notitle
)gnuplot",
      options.block_size, options.depth, options.jobs, curves);
}

}  // namespace

void make_plot_folder(const IoOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(options.plot, error);
  if (!error && access(options.plot.c_str(), W_OK | X_OK) != 0) {
    error.assign(errno, std::generic_category());
  }
  if (error) {
    throw std::runtime_error(
        fmt::format("--plot {}: no folder that can be written: {}", options.plot, error.message()));
  }
}

std::string plot(const IoOptions& options, const IoReport& report) {
  if (report.operations() == 0 || report.timeline.size() == 0) {
    throw std::runtime_error("no plot: the run was too short");
  }
  const std::filesystem::path folder = options.plot;
  std::ofstream latency(folder / "latency.dat");
  write_latency(latency, report.read_latency);
  write_latency(latency, report.write_latency);
  std::ofstream iops(folder / "iops.dat");
  write_timeline(iops, report.timeline);
  std::ofstream script(folder / "ringio.gp");
  script << script_text(options, report);
  latency.close();
  iops.close();
  script.close();
  if (!latency || !iops || !script) {
    throw std::runtime_error("no plot: the files in " + options.plot + " cannot be written");
  }
  if (const std::string failure = draw(folder, "ringio"); !failure.empty()) {
    throw std::runtime_error(failure);
  }
  return fmt::format("plot: {0}/latency.svg and {0}/iops.svg", folder.string());
}

}  // namespace lab
