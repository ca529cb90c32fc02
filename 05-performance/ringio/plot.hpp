// The pictures of a run: latency by percentile, and operations a second over time.
#pragma once

#include <string>

#include "05-performance/ringio/options.hpp"
#include "05-performance/ringio/report.hpp"

namespace lab {

/// Writes latency.dat, iops.dat, ringio.gp and, with gnuplot, latency.svg and iops.svg into the
/// folder options.plot, which is made when it is not there.
/// @return what it wrote, or why there is no picture
std::string plot(const IoOptions& options, const IoReport& report);

}  // namespace lab
