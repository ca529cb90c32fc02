#include "05-performance/ringload/options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>

namespace lab {

namespace {

constexpr const char* description =
    R"(ringload: measures any TCP echo server, over io_uring, with one thread.

It opens the connections, sends messages, and expects every byte back. Closed loop
(default): each connection keeps --depth messages unanswered and sends the next one
when a reply is complete; the server sets the pace, and requests/s is the result.
Open loop (--rate): messages are due at fixed times whatever the server does, and
latency counts from the moment a message was due; the latency is the result.)";

constexpr const char* examples = R"(
Examples:
  ringload 127.0.0.1 8000
      64 connections, 64 bytes, closed loop, 5 seconds.
  ringload 127.0.0.1 8000 --connections 512 --cpu 1 --server-cpu 0
      The same load as a benchmark: the generator stays on processor 1, and the busy time
      of processor 0, where the server is, is reported per request.
  ringload 127.0.0.1 8000 --rate 20000 --duration 30
      Open loop: which latency does 20,000 requests/s mean?
  ringload 127.0.0.1 8000 --stream --connections 8
      Full-duplex throughput.

Exit code: 0 all was well; 1 wrong bytes or lost connections; 2 the run could not begin.)";

/// A number with its range, so that a bad value names the option, the value and the range.
template <class Number>
CLI::Validator in_range(Number low, Number high) {
  return CLI::Range(low, high);
}

void add_load_options(CLI::App& app, LoadOptions& options) {
  const std::string group = "Load";
  app.add_option("-c,--connections", options.connections,
                 "Connections, all opened before the start")
      ->check(in_range(1U, 1'000'000U))
      ->capture_default_str()
      ->group(group);
  app.add_option("-s,--size", options.size,
                 "Bytes a message (64, 16KiB, 1MiB); with --stream only the unit of a request")
      ->transform(CLI::AsSizeValue(false))
      ->check(in_range<std::size_t>(1, std::size_t{1} << 30))
      ->capture_default_str()
      ->group(group);
  app.add_option("-d,--depth", options.depth, "Messages that a connection may have unanswered")
      ->check(in_range(1U, 65536U))
      ->capture_default_str()
      ->group(group);
  CLI::Option* rate =
      app.add_option("-r,--rate", options.rate, "Open loop: messages a second over all connections")
          ->check(in_range(0.01, 1e8))
          ->group(group);
  app.add_flag("--stream", options.stream,
               "No messages: every connection writes as fast as its socket takes and reads back")
      ->excludes(rate)
      ->group(group);
}

void add_time_options(CLI::App& app, LoadOptions& options) {
  const std::string group = "How long";
  app.add_option("--warmup", options.warmup_s, "Seconds of load before measuring begins")
      ->check(in_range(0.0, 3600.0))
      ->capture_default_str()
      ->group(group);
  CLI::Option* duration = app.add_option("-t,--duration", options.duration_s, "Seconds to measure")
                              ->check(in_range(0.01, 86400.0))
                              ->capture_default_str()
                              ->group(group);
  app.add_option("-n,--count", options.count, "Measure until this many replies came")
      ->check(in_range<std::uint64_t>(1, std::uint64_t{1} << 50))
      ->excludes(duration)
      ->group(group);
}

void add_measure_options(CLI::App& app, LoadOptions& options) {
  const std::string group = "What is measured, and from where";
  app.add_option("--cpu", options.cpu, "Pin the generator to this processor")
      ->check(in_range(0, 4095))
      ->group(group);
  app.add_option("--server-cpu", options.server_cpu,
                 "Report the busy time of this processor (user, system, irq and softirq time)")
      ->check(in_range(0, 4095))
      ->group(group);
  app.add_option("--server-pid", options.server_pid,
                 "Report the CPU time of this process and its children")
      ->check(in_range(1, 1 << 22))
      ->group(group);
  app.add_flag("!--no-check", options.check,
               "Do not compare what comes back (large messages: it is not even copied)")
      ->group(group);
  app.add_flag("--spin", options.spin,
               "Never sleep: look for answers again and again, so that waking the generator costs "
               "the server nothing. Lightest under full load; takes a whole core")
      ->group(group);
  app.add_option(
         "--congestion", options.congestion,
         "TCP_CONGESTION of the generator's side (cubic, reno, bbr); otherwise the system's")
      ->group(group);
  app.add_option(
         "--receive-buffer", options.receive_buffer_size,
         "SO_RCVBUF of the generator's side; otherwise it grows by itself, which costs time")
      ->transform(CLI::AsSizeValue(false))
      ->check(in_range(4096, 1 << 30))
      ->group(group);
}

}  // namespace

LoadOptions parse_options(int argc, char** argv) {
  LoadOptions options;
  CLI::App app(description, "ringload");
  app.footer(examples);
  app.get_formatter()->column_width(34);
  app.add_option("HOST", options.host, "Name or address of the server")->required();
  app.add_option("PORT", options.port, "Its TCP port")->required()->check(in_range(1, 65535));
  add_load_options(app, options);
  add_time_options(app, options);
  add_measure_options(app, options);
  app.add_flag("--json", options.json, "Print the result as one JSON object on stdout")
      ->group("Output");
  app.add_flag("-q,--quiet", options.quiet, "No progress line (there is none without a terminal)")
      ->group("Output");
  try {
    app.parse(argc, argv);
    // The times at which messages were sent are kept for every message in flight.
    if (!options.stream && !options.rate &&
        std::uint64_t{options.connections} * options.depth > (std::uint64_t{1} << 24)) {
      throw CLI::ValidationError(
          "--depth",
          fmt::format("Value {} not in range 1 to {}, with --connections {}", options.depth,
                      (1U << 24) / options.connections, options.connections));
    }
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error) == 0 ? 0 : 2);
  }
  return options;
}

}  // namespace lab
