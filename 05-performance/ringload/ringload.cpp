// Load generator for TCP echo servers: ringload --help teaches its use.
#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "05-performance/ringload/load.hpp"
#include "05-performance/ringload/options.hpp"
#include "05-performance/ringload/report.hpp"

int main(int argc, char** argv) {
  const lab::LoadOptions options = lab::parse_options(argc, argv);
  try {
    lab::Load load(options);
    const lab::Report report = load.run();
    fmt::print("{}", options.json ? to_json(options, report) : to_text(options, report));
    if (options.json && report.lost > 0) {
      fmt::print(stderr, "ringload: {} connections lost; first: {}\n", report.lost,
                 to_text(report.failure));
    }
    return report.lost > 0 ? 1 : 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "ringload: {}\n", error.what());
    return 2;
  }
}
