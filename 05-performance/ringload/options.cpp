#include "05-performance/ringload/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

#include "05-performance/bench/command_line.hpp"
#include "05-performance/bench/host_port.hpp"
#include "05-performance/bench/say.hpp"

namespace lab {

namespace {

constexpr const char* description =
    R"(ringload: measures any TCP or UDP echo server, or a web server, over io_uring, with
one thread.

It opens the connections, sends messages, and expects every byte back. Closed loop
(default): each connection keeps --depth messages unanswered and sends the next one
when a reply is complete; the server sets the pace, and requests/s is the result.
Open loop (--rate): messages are due at fixed times whatever the server does, and
latency counts from the moment a message was due; the latency is the result.
Every result says who was the limit. When it was the generator, the figures say
nothing about the server.)";

constexpr const char* examples = R"(
Examples:
  ringload 127.0.0.1 8000
      64 connections, 64 bytes, closed loop, 5 seconds. [::1]:8000, as servers print it, is right
      as well.
  ringload 127.0.0.1 8000 --connections 512 --cpu 1 --server-cpu 0
      The same load as a benchmark: the generator stays on processor 1, and the busy time
      of processor 0, where the server is, is reported per request.
  ringload 127.0.0.1 8000 --rate 20000 --duration 30
      Open loop: which latency does 20,000 requests/s mean?
  ringload 127.0.0.1 8000 --sweep auto --plot build/sweep
      Finds the peak, then measures the latency at 10 % to 100 % of it, as table and picture.
  ringload 127.0.0.1 8000 --churn --messages 1
      How many connections can the server open and close in a second?
  ringload 127.0.0.1 9000 --udp --depth 16
      Datagrams: what is lost, what comes in another order?
  ringload 127.0.0.1 8000 --stream --connections 8
      Full-duplex throughput.
  ringload http://127.0.0.1:8080/index.html --depth 16
      A web server, 16 requests in the pipeline of each connection. Every answer has to be, byte for
      byte, what the first one was, but for its Date. --rate, --sweep and --churn go with it.

Ctrl-C ends a run with a report of what was measured so far, and a sweep with the rates before;
what is in flight is waited for. A second Ctrl-C ends the program at once.

Exit code: 0 all was well; 1 wrong bytes, lost connections, or no answer; 2 the run could not
begin, or its result could not be written; 130 ended by Ctrl-C.)";

constexpr double rate_min = 0.01;
constexpr double rate_max = 1e8;
constexpr double sweep_duration_s = 2;
constexpr double brief_duration_s = 0.5;
constexpr double brief_warmup_s = 0.2;

/// For an option with AsSizeValue, whose own answer to 1.5KiB tells the C++ type and no cure.
WordCheck whole_with_unit() {
  return {[](std::string& text) -> std::string {
            const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
            const bool point = text.find_first_of(".,-+", digits) != std::string::npos;
            if (digits > 0 && !point) return {};
            return text + " is not a whole number, with or without a unit: 64, 16KiB, 1MiB";
          },
          ""};
}

constexpr std::string_view http_scheme = "http://";

// Takes http:// and the path off the address; without a port HTTP's own is meant.
void take_url(std::string& address, std::optional<std::uint16_t>& port, LoadOptions& options) {
  address.erase(0, http_scheme.size());
  const std::size_t slash = std::min(address.find('/'), address.size());
  std::string path = address.substr(slash);
  address.resize(slash);
  if (path.empty()) path = "/";
  options.http->paths.insert(options.http->paths.begin(), path.substr(0, path.find('#')));
  if (!port && !split_host_port(address).port) port = 80;
}

void take_address(const CommandLine& line, std::string address, std::optional<std::uint16_t> port,
                  HttpQuestions http, LoadOptions& options) {
  try {
    if (address.starts_with(http_scheme)) {
      options.http = std::move(http);
      take_url(address, port, options);
    } else if (!http.paths.empty() || !http.headers.empty()) {
      line.refuse("HOST", "--path and --header go with http://HOST:PORT/PATH");
    } else if (address.starts_with("https://")) {
      line.refuse("HOST",
                  "ringload speaks no TLS. Cure: http://, or another generator (wrk, h2load)");
    }
    const HostPort server = split_host_port(address, port);
    options.host = server.host;
    options.port = *server.port;
  } catch (const std::invalid_argument& error) {
    line.refuse("HOST", error.what());
  }
}

// FROM:TO:STEPS, or R1,R2,..., or auto.
SweepPlan parse_sweep(const CommandLine& line, const std::string& text) {
  const auto fail = [&](const std::string& cause) {
    line.refuse("--sweep",
                fmt::format("\"{}\": {}. Give FROM:TO:STEPS (10000:100000:10), a list of rates "
                            "(1000,5000,20000), or auto",
                            text, cause));
  };
  SweepPlan plan;
  if (text == "auto") return plan;
  const bool range = text.find(':') != std::string::npos;
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, range ? ':' : ',');) {
    char* end = nullptr;
    const double number = std::strtod(word.c_str(), &end);
    if (word.empty() || *end != '\0') fail(fmt::format("\"{}\" is not a number", word));
    if (!(number >= rate_min && number <= rate_max)) {
      fail(fmt::format("{:g} is not in range {:g} to {:g}", number, rate_min, rate_max));
    }
    plan.rates.push_back(number);
  }
  if (plan.rates.empty()) fail("no rate");
  if (range) {
    constexpr double steps_max = 1000;
    if (plan.rates.size() != 3) fail("a range has three numbers");
    const double from = plan.rates[0], to = plan.rates[1], steps = plan.rates[2];
    if (steps < 2 || steps > steps_max || steps != std::floor(steps)) {
      fail(fmt::format("STEPS is a whole number from 2 to {:g}", steps_max));
    }
    plan.rates.clear();
    for (double step = 0; step < steps; ++step) {
      plan.rates.push_back(from + (to - from) * step / (steps - 1));
    }
  }
  for (std::size_t place = 1; place < plan.rates.size(); ++place) {
    if (plan.rates[place] <= plan.rates[place - 1]) {
      fail("the rates have to rise, for a sweep ends at the first that is not reached");
    }
  }
  return plan;
}

void add_sweep_options(CommandLine& line, LoadOptions& options, CommandOption rate,
                       CommandOption stream) {
  const std::string group = "Sweep: latency against load";
  const CommandOption sweep =
      line.add_option_function(
              "--sweep", [&](const std::string& text) { options.sweep = parse_sweep(line, text); },
              "An open loop at each of these rates: FROM:TO:STEPS, or R1,R2,..., or auto (finds "
              "the peak with a closed loop, then 10 % to 100 % of it). Ends early at the first "
              "rate "
              "that is not reached. --duration is that of one rate, 2 s unless given")
          .type_name("RATES")
          .excludes(rate)
          .excludes(stream)
          .group(group);
  line.add_option("--plot", options.plot,
                  "Folder for latency-over-load.svg (by gnuplot) and its data, "
                  "latency-over-load.tsv")
      .needs(sweep)
      .group(group);
}

void add_churn_options(CommandLine& line, LoadOptions& options, CommandOption rate,
                       CommandOption stream) {
  const std::string group = "Other loads";
  const CommandOption churn =
      line.add_flag("--churn", options.churn,
                    "Connection churn: connect, exchange --messages, close, and again; "
                    "--connections of them at a time")
          .excludes(rate)
          .excludes(stream)
          .excludes(line.get_option("--sweep"))
          .group(group);
  line.add_option("--messages", options.messages, "Messages of one connection")
      .check(in_range(1U, 1'000'000'000U))
      .capture_default_str()
      .needs(churn)
      .group(group);
  line.add_flag("--linger-reset", options.linger_reset,
                "Close with a reset (SO_LINGER 0): no port stays in TIME_WAIT, so ports do not run "
                "out; but the server sees ECONNRESET where real clients send a FIN")
      .needs(churn)
      .group(group);
  const CommandOption udp =
      line.add_flag("--udp", options.udp,
                    "Numbered datagrams: counts the lost, the reordered, the duplicate. "
                    "--connections are sockets, --depth datagrams of each may be unanswered")
          .excludes(churn)
          .excludes(stream)
          .group(group);
  line.add_option("--timeout-ms", options.timeout_ms,
                  "A datagram without an answer for so long is lost, and the next may go")
      .check(in_range(1.0, 60'000.0))
      .capture_default_str()
      .needs(udp)
      .group(group);
}

void add_load_options(CommandLine& line, LoadOptions& options) {
  const std::string group = "Load";
  line.add_option("-c,--connections", options.connections,
                  "Connections, all opened before the start")
      .check(in_range(1U, 1'000'000U))
      .capture_default_str()
      .group(group);
  line.add_option("-s,--size", options.size,
                  "Bytes a message (64, 16KiB, 1MiB); with --stream only the unit of a request")
      .take_unit()
      .transform(whole_with_unit())  // the last one is asked first
      .check(in_range<std::size_t>(1, std::size_t{1} << 30))
      .capture_default_str()
      .group(group);
  line.add_option("-d,--depth", options.depth,
                  "Messages (with HTTP: requests) that a connection may have unanswered")
      .check(in_range(1U, 65536U))
      .capture_default_str()
      .group(group);
  const CommandOption rate = line.add_option("-r,--rate", options.rate,
                                             "Open loop: messages a second over all connections")
                                 .check(in_range(rate_min, rate_max))
                                 .group(group);
  const CommandOption stream =
      line.add_flag(
              "--stream", options.stream,
              "No messages: every connection writes as fast as its socket takes and reads back")
          .excludes(rate)
          .group(group);
  add_sweep_options(line, options, rate, stream);
  add_churn_options(line, options, rate, stream);
}

void add_http_options(CommandLine& line, HttpQuestions& http) {
  const std::string group = "HTTP";
  line.add_option("--path", http.paths,
                  "One more path, asked for in turn with that of the URL; may be given again")
      .allow_extra_args(false)
      .type_name("PATH")
      .check([](const std::string& path) -> std::string {
        if (path.starts_with('/') && path.find_first_of(" \t\r\n") == std::string::npos) return {};
        return "\"" + path + "\" is no path: it begins with / and has no white space (%20)";
      })
      .group(group);
  line.add_option("--header", http.headers,
                  "A field of every request (\"Accept-Encoding: br\"); may be given again")
      .allow_extra_args(false)
      .type_name("FIELD")
      .check([](const std::string& field) -> std::string {
        const bool one_line = field.find_first_of("\r\n") == std::string::npos;
        if (one_line && field.find(':') != std::string::npos) return {};
        return "\"" + field + "\" is no header field: it is one line, NAME: VALUE";
      })
      .group(group);
}

void add_time_options(CommandLine& line, LoadOptions& options) {
  const std::string group = "How long";
  line.add_option("--warmup", options.warmup_s, "Seconds of load before measuring begins")
      .check(in_range(0.0, 3600.0))
      .capture_default_str()
      .group(group);
  const CommandOption duration =
      line.add_option("-t,--duration", options.duration_s, "Seconds to measure")
          .check(in_range(0.01, 86400.0))
          .capture_default_str()
          .group(group);
  line.add_flag("--short", options.brief,
                "A first look: 0.5 s of measuring and 0.2 s of warm-up, unless given")
      .group(group);
  line.add_option("-n,--count", options.count, "Measure until this many replies came")
      .check(in_range<std::uint64_t>(1, std::uint64_t{1} << 50))
      .excludes(duration)
      .group(group);
  line.add_option(
          "--patience", options.patience_s,
          "Seconds without an answer or a connection after which a server is given up. A run "
          "with --duration measures pauses in full")
      .check(in_range(0.1, 3600.0))
      .capture_default_str()
      .group(group);
}

void add_measure_options(CommandLine& line, LoadOptions& options) {
  const std::string group = "What is measured, and from where";
  line.add_option("--cpu", options.cpu, "Pin the generator to this processor")
      .check(in_range(0, 4095))
      .group(group);
  line.add_option("--server-cpu", options.server_cpu,
                  "Report the busy time of this processor (user, system, irq and softirq time)")
      .check(in_range(0, 4095))
      .group(group);
  line.add_option("--server-pid", options.server_pid,
                  "Report the CPU time of this process and its children")
      .check(in_range(1, 1 << 22))
      .group(group);
  line.add_flag("!--no-check", options.check,
                "Do not compare what comes back (large messages: it is not even copied)")
      .group(group);
  line.add_flag("--spin", options.spin,
                "Never sleep: look for answers again and again, so that waking the generator costs "
                "the server nothing. Lightest under full load; takes a whole core")
      .group(group);
  line.add_option(
          "--congestion", options.congestion,
          "TCP_CONGESTION of the generator's side (cubic, reno, bbr); otherwise the system's")
      .group(group);
  line.add_option(
          "--receive-buffer", options.receive_buffer_size,
          "SO_RCVBUF of the generator's side; otherwise it grows by itself, which costs time")
      .take_unit()
      .transform(whole_with_unit())
      .check(in_range(4096, 1 << 30))
      .group(group);
}

// What CLI11's excludes() and needs() cannot say: the cause, and the cure.
void check_combinations(const CommandLine& line, const LoadOptions& options) {
  const auto refuse = [&](const char* option, const std::string& cause) {
    line.refuse(option, cause);
  };
  // The times at which messages were sent are kept for every message in flight.
  constexpr std::uint64_t in_flight_max = std::uint64_t{1} << 24;
  if (!options.stream && !options.rate &&
      std::uint64_t{options.connections} * options.depth > in_flight_max) {
    refuse("--depth",
           fmt::format("Value {} not in range 1 to {}, with --connections {}", options.depth,
                       in_flight_max / options.connections, options.connections));
  }
  if (options.cpu && options.cpu == options.server_cpu) {
    refuse("--server-cpu",
           "the same as --cpu: on one core nobody can tell who was the limit. "
           "Cure: a core for each, or leave both away");
  }
  if (options.sweep && options.count) {
    refuse("--count", "a sweep measures each rate for the same time. Cure: --duration");
  }
  if (options.churn && options.depth != 1) {
    refuse("--depth",
           "with --churn each message waits for the reply before. Cure: leave it away, "
           "more --connections are more load");
  }
  if ((options.churn || options.udp) && options.spin) {
    refuse("--spin", "only with TCP connections that stay. Cure: leave it away");
  }
  if (options.http) {
    if (options.udp || options.stream) {
      refuse(options.udp ? "--udp" : "--stream", "HTTP is questions and answers over TCP");
    }
    if (line.count("--size") != 0) {
      refuse("--size", "with HTTP the server's file has the size. Cure: another path");
    }
  }
  if (!options.udp) return;
  if (!options.congestion.empty()) {
    refuse("--congestion", "UDP has no congestion control. Cure: leave it away");
  }
  if (options.size < datagram_size_min || options.size > datagram_size_max) {
    refuse("--size",
           fmt::format("a datagram of {} bytes: with --udp it has {} (its number) to {} bytes",
                       options.size, datagram_size_min, datagram_size_max));
  }
  constexpr std::uint64_t memory_max = std::uint64_t{1} << 30;
  if (options.size * options.depth * options.connections > memory_max) {
    refuse("--depth",
           "connections x depth x size is more than 1 GiB of datagrams. Cure: less of "
           "one of them");
  }
  if (line.count("--count") != 0) {
    refuse("--count",
           "with --udp a run is measured by time, as answers may be lost. Cure: "
           "--duration");
  }
}

}  // namespace

LoadOptions parse_options(int argc, char** argv) {
  LoadOptions options;
  CommandLine line("ringload", description);
  line.footer(examples);
  line.column_width(34);
  std::string address;
  HttpQuestions http;
  std::optional<std::uint16_t> port;
  line.add_option("HOST", address,
                  "Name or address of the server, also as HOST:PORT or [IPV6]:PORT; "
                  "http://HOST:PORT/PATH for a web server")
      .required();
  line.add_option("PORT", port, "Its port").check(in_range<std::uint16_t>(1, 65535));
  add_load_options(line, options);
  add_http_options(line, http);
  add_time_options(line, options);
  add_measure_options(line, options);
  line.add_flag("--json", options.json, "Print the result as one JSON object on stdout")
      .group("Output");
  line.add_flag("-q,--quiet", options.quiet, "No progress line (there is none without a terminal)")
      .group("Output");
  line.parse(argc, argv);
  take_address(line, address, port, std::move(http), options);
  if (line.count("--duration") == 0) {
    if (options.sweep) options.duration_s = sweep_duration_s;
    if (options.brief) options.duration_s = brief_duration_s;
  }
  if (options.brief && line.count("--warmup") == 0) options.warmup_s = brief_warmup_s;
  check_combinations(line, options);
  return options;
}

}  // namespace lab
