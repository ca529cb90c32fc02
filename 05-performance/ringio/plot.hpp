// The pictures of a run: latency by percentile, and operations a second over time.
#pragma once

#include <string>

#include "05-performance/ringio/options.hpp"
#include "05-performance/ringio/report.hpp"

namespace lab {

/// Before the run, which may be long: makes the folder options.plot when it is not there.
/// @throws std::runtime_error when nothing can be written there
void make_plot_folder(const IoOptions& options);

/// Writes latency.dat, iops.dat, ringio.gp and, with gnuplot, latency.svg and iops.svg into the
/// folder options.plot.
/// @return what it wrote
/// @throws std::runtime_error why there is no picture
std::string plot(const IoOptions& options, const IoReport& report);

}  // namespace lab
