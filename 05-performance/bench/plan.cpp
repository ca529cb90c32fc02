#include "05-performance/bench/plan.hpp"

#include <fmt/format.h>

#include <fstream>
#include <initializer_list>
#include <utility>

namespace lab {

namespace {

std::string system_congestion() {
  std::string name;
  std::ifstream("/proc/sys/net/ipv4/tcp_congestion_control") >> name;
  return name.empty() ? "cubic" : name;
}

#ifdef LAB_HAS_LIBUV
constexpr bool has_portable = true;
#else
constexpr bool has_portable = false;
#endif

constexpr std::size_t operator""_KiB(unsigned long long value) { return value << 10; }
constexpr std::size_t operator""_MiB(unsigned long long value) { return value << 20; }

std::string size_text(std::size_t size, const char* space) {
  if (size < 1_KiB) return fmt::format("{}{}B", size, space);
  return fmt::format("{}{}KiB", size / 1_KiB, space);
}

Row row(std::string name, unsigned connections, std::size_t size, unsigned depth = 1) {
  Row made{.name = std::move(name),
           .text = fmt::format("{} x {}", connections, size_text(size, " ")),
           .options = {"--connections", fmt::format("{}", connections)},
           .size = size,
           .connections = connections,
           .depth = depth};
  const auto add = [&](std::initializer_list<std::string> words) {
    made.options.insert(made.options.end(), words);
  };
  if (size != 64) add({"--size", size_text(size, "")});
  if (depth > 1) {
    made.text += fmt::format(", depth {}", depth);
    add({"--depth", fmt::format("{}", depth)});
  }
  // Where messages are large, comparing them would make the client the limit: these rows are
  // checked before the first round, and every variant with them.
  if (size >= 16_KiB) add({"--no-check"});
  return made;
}

Row stream(std::string name, unsigned connections) {
  Row made{.name = std::move(name),
           .text = fmt::format("{} stream{}", connections, connections == 1 ? "" : "s"),
           .options = {"--connections", fmt::format("{}", connections), "--stream", "--size",
                       "16KiB", "--no-check"},
           .size = 16_KiB,
           .connections = connections};
  made.stream = true;
  return made;
}

}  // namespace

std::vector<Row> all_rows() {
  return {
      row("1x64B", 1, 64),          row("64x64B", 64, 64),       row("512x64B", 512, 64),
      row("64x64Bx16", 64, 64, 16), row("64x16KiB", 64, 16_KiB), stream("stream8", 8),
  };
}

Row churn_row() {
  Row made = row("churn64", 64, 64);
  made.text = "64, connecting";
  made.churn = true;
  // Reset, or the client's ports run out in TIME_WAIT.
  made.options.insert(made.options.end(), {"--churn", "--linger-reset"});
  return made;
}

std::vector<Row> lesson_rows() {
  constexpr std::size_t in_flight_max = 64_MiB;
  std::vector<Row> rows;
  for (const unsigned depth : {1U, 16U}) {
    for (const std::size_t size : {std::size_t{64}, 1_KiB, 16_KiB, 256_KiB}) {
      for (const unsigned connections : {1U, 16U, 64U, 512U, 4096U}) {
        if (connections * size * depth > in_flight_max) continue;
        const std::string depth_name = depth == 1 ? "" : fmt::format("x{}", depth);
        rows.push_back(row(fmt::format("{}x{}{}", connections, size_text(size, ""), depth_name),
                           connections, size, depth));
      }
    }
  }
  for (const unsigned connections : {1U, 8U, 64U}) {
    rows.push_back(stream(fmt::format("stream{}", connections), connections));
  }
  return rows;
}

std::vector<Variant> lesson_variants() {
  using enum Variant::Program;
  const std::vector<std::string> both{"--socket-options", "tuned", "--buffer-size"};
  const auto with = [&](std::initializer_list<std::string> more) {
    std::vector<std::string> options = both;
    options.insert(options.end(), more);
    return options;
  };
  return {
      {"io_uring-16KiB", capstone, with({"16384"})},
      {"epoll-16KiB", baseline, with({"16384"})},
      {"io_uring-64KiB", capstone, with({"65536", "--buffer-count", "1024"}), true},
      {"epoll-64KiB", baseline, with({"65536"}), true},
      {"epoll-256KiB", baseline, with({"262144"}), true},
  };
}

std::vector<Comparison> lesson_comparisons() {
  return {
      {"16KiB", "both with buffers of 16 KiB: io_uring / epoll", "io_uring-16KiB", "epoll-16KiB"},
      {"64KiB", "both with buffers of 64 KiB: io_uring / epoll", "io_uring-64KiB", "epoll-64KiB"},
      {"best", "io_uring with 64 KiB / epoll with 256 KiB", "io_uring-64KiB", "epoll-256KiB"},
  };
}

std::vector<Variant> all_variants(bool ablate) {
  using enum Variant::Program;
  std::vector<Variant> variants{
      {"capstone-tuned", capstone, {"--socket-options", "tuned"}},
      {"epoll-plain", baseline, {"--socket-options", "plain"}},
      {"capstone-plain", capstone, {"--socket-options", "plain"}},
      {"epoll-tuned", baseline, {"--socket-options", "tuned"}},
      {"reactors-tuned", capstone, {"--topology", "reactors", "--socket-options", "tuned"}},
      {"session-tuned", session, {"--socket-options", "tuned"}},
      {"large-buffers-tuned",
       capstone,
       {"--socket-options", "tuned", "--buffer-size", "65536", "--buffer-count", "1024"}},
  };
  if (has_portable) {
    variants.push_back(
        {"portable-tuned", capstone, {"--backend", "portable", "--socket-options", "tuned"}});
  }
  if (ablate) {
    const std::string congestion = system_congestion();
    variants.push_back(
        {"capstone-plain+reno", capstone, {"--socket-options", "plain", "--congestion", "reno"}});
    variants.push_back({"capstone-tuned-reno",
                        capstone,
                        {"--socket-options", "tuned", "--congestion", congestion}});
    variants.push_back(
        {"epoll-plain+reno", baseline, {"--socket-options", "plain", "--congestion", "reno"}});
    variants.push_back(
        {"epoll-tuned-reno", baseline, {"--socket-options", "tuned", "--congestion", congestion}});
  }
  return variants;
}

std::vector<Comparison> all_comparisons(bool ablate) {
  std::vector<Comparison> comparisons{
      {"own", "each with its own options: capstone tuned / epoll plain", "capstone-tuned",
       "epoll-plain", true, true},
      {"same-plain", "same options: capstone plain / epoll plain", "capstone-plain", "epoll-plain",
       true, false},
      {"same-tuned", "same options: capstone tuned / epoll tuned", "capstone-tuned", "epoll-tuned",
       true, false},
      {"options-capstone", "what the options are worth: capstone tuned / plain", "capstone-tuned",
       "capstone-plain"},
      {"options-epoll", "what the options are worth: epoll tuned / plain", "epoll-tuned",
       "epoll-plain"},
      {.name = "reactors",
       .text = "one acceptor thread that passes connections on / each accepts for itself",
       .first = "reactors-tuned",
       .second = "capstone-tuned",
       .on_request = true},
      {.name = "session",
       .text = "the echo as a coroutine / as a protocol of three lines",
       .first = "session-tuned",
       .second = "capstone-tuned",
       .on_request = true},
      {.name = "buffers",
       .text = "what large buffers are worth: 1024 of 64 KiB / 2048 of 16 KiB, the default",
       .first = "large-buffers-tuned",
       .second = "capstone-tuned",
       .on_request = true},
  };
  if (has_portable) {
    comparisons.push_back({"portable", "the same echo and options: capstone on io_uring / on libuv",
                           "capstone-tuned", "portable-tuned"});
  }
  if (ablate) {
    comparisons.push_back({"reno-capstone", "one option: capstone plain + reno / plain",
                           "capstone-plain+reno", "capstone-plain"});
    comparisons.push_back(
        {"buffer-capstone",
         "one option: capstone with the fixed receive buffer, without reno / plain",
         "capstone-tuned-reno", "capstone-plain"});
    comparisons.push_back({"reno-epoll", "one option: epoll plain + reno / plain",
                           "epoll-plain+reno", "epoll-plain"});
    comparisons.push_back({"buffer-epoll",
                           "one option: epoll with the fixed receive buffer, without reno / plain",
                           "epoll-tuned-reno", "epoll-plain"});
  }
  return comparisons;
}

Target Comparison::target(const Row& row) const {
  if (!judged) return {};
  if (row.name == "64x64B" || row.name == "512x64B") {
    if (own_options) {
      return {.requests_min = 1.10, .cpu_max = 0.91, .requests_wanted = 1.20, .cpu_wanted = 0.85};
    }
    return {.requests_min = 1.05, .cpu_max = 0.95, .requests_wanted = {}, .cpu_wanted = {}};
  }
  if (row.name == "64x64Bx16" && own_options) {
    return {.requests_min = 1.10, .cpu_max = {}, .requests_wanted = {}, .cpu_wanted = {}};
  }
  return {};
}

}  // namespace lab
