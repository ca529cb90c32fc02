#include "05-performance/bench/plan.hpp"

#include <fstream>

namespace lab {

namespace {

std::string system_congestion() {
  std::string name;
  std::ifstream("/proc/sys/net/ipv4/tcp_congestion_control") >> name;
  return name.empty() ? "cubic" : name;
}

}  // namespace

std::vector<Row> all_rows() {
  // Where messages are large, comparing them would make the client the limit: these rows are
  // checked before the first round, and every variant with them.
  return {
      {"1x64B", "1 x 64 B", {"--connections", "1"}},
      {"64x64B", "64 x 64 B", {"--connections", "64"}},
      {"512x64B", "512 x 64 B", {"--connections", "512"}},
      {"64x64Bx16", "64 x 64 B, depth 16", {"--connections", "64", "--depth", "16"}},
      {"64x16KiB", "64 x 16 KiB", {"--connections", "64", "--size", "16KiB", "--no-check"}},
      {"stream8", "8 streams", {"--connections", "8", "--stream", "--size", "16KiB", "--no-check"}},
  };
}

std::vector<Variant> all_variants(bool ablate) {
  using enum Variant::Program;
  std::vector<Variant> variants{
      {"capstone-tuned", capstone, {"--socket-options", "tuned"}},
      {"epoll-plain", baseline, {"--socket-options", "plain"}},
      {"capstone-plain", capstone, {"--socket-options", "plain"}},
      {"epoll-tuned", baseline, {"--socket-options", "tuned"}},
  };
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
  };
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
