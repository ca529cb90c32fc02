#include "06-server/lib/process/limit_flags.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <stdexcept>
#include <string_view>

namespace lab {

namespace {

constexpr std::uint32_t rate_max = 1'000'000;

std::string check_rate(const std::string& text) {
  std::uint32_t per_second = 0;
  return parse_rate(text, per_second);
}

std::string check_network(const std::string& text) {
  NetworkPrefix network;
  return parse_network(text, network);
}

std::vector<NetworkPrefix> networks(const std::vector<std::string>& words) {
  std::vector<NetworkPrefix> all(words.size());
  for (std::size_t index = 0; index < words.size(); ++index)
    parse_network(words[index], all[index]);
  return all;
}

void add_rates(CommandLine& line, LimitOptions& limits, const std::string& group) {
  line.add_option_function(
          "--rate", [&limits](const std::string& word) { parse_rate(word, limits.rate); },
          "Requests a second that each client may make in the long run; a new connection and its "
          "first request are one of them. A web client that asks more often gets 429, any other "
          "one is made to wait; a connection too many is refused. Each worker counts for itself: "
          "see --steer source")
      .type_name("N/s")
      .check(&check_rate)
      .group(group);
  line.add_option("--burst", limits.burst,
                  "So many at once from a client that was quiet: a page with all that is on it, "
                  "for everybody behind one address")
      .check(in_range(1U, 1'000'000U))
      .capture_default_str()
      .group(group);
  line.add_option_function(
          "--rate-total",
          [&limits](const std::string& word) { parse_rate(word, limits.rate_total); },
          "The same for all clients of a worker together: what it does at the most, from however "
          "many addresses they come")
      .type_name("N/s")
      .check(&check_rate)
      .group(group);
}

}  // namespace

std::string parse_rate(const std::string& text, std::uint32_t& per_second) {
  const char* const end = text.data() + text.size();
  std::uint32_t number = 0;
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  const bool is_number = error == std::errc() && number >= 1 && number <= rate_max;
  if (!is_number || std::string_view(rest, static_cast<std::size_t>(end - rest)) != "/s") {
    return fmt::format("'{}' is no rate. Cure: 10/s, for ten a second (1/s to {}/s)", text,
                       rate_max);
  }
  per_second = number;
  return {};
}

void add_limit_flags(CommandLine& line, LimitOptions& limits, LimitWords& words) {
  const std::string group = "Limits";
  add_rates(line, limits, group);
  line.add_option("--max-connections-per-client", limits.connections_max,
                  "Connections of one client at a time; one more is refused")
      .check(in_range(1U, 1'000'000U))
      .group(group);
  line.add_option("--max-delay-ms", limits.delay_max_ms,
                  "Above so many milliseconds a worker lets no new client in, so that those inside "
                  "are served in time: a web client gets 503, any other one the end. It is the "
                  "delay that the worker's own clock sees for 100 ms without a break, and one tick "
                  "in time (there are 40 a second) ends it. Below 5, what else runs on the machine "
                  "counts as well. 0: everybody is let in")
      .check(in_range(0U, 10'000U))
      .capture_default_str()
      .group(group);
  line.add_option("--rate-prefix", limits.prefix_bits,
                  "IPv6 addresses with so many first bits in common are one client, as one "
                  "household has 2^64 of them. IPv4 addresses are a client each")
      .check(in_range(32U, 128U))
      .capture_default_str()
      .group(group);
  line.add_option("--rate-entries", limits.entries,
                  "Clients whose rate is remembered, 16 bytes each. When more come at once, the "
                  "one that was quiet for longest is forgotten and may begin anew; limit_forgotten "
                  "counts it")
      .check(in_range(64U, 1U << 26))
      .capture_default_str()
      .group(group);
  line.add_option("--allow", words.allowed,
                  "Only this network is let in: 192.0.2.0/24, 2001:db8::/32 or one address. Again, "
                  "for more of them; 0.0.0.0/0 is all of IPv4, ::/0 all of IPv6")
      .type_name("CIDR")
      .allow_extra_args(false)
      .check(&check_network)
      .group(group);
  line.add_option("--deny", words.denied,
                  "This network is not let in. Of those that have an address, the longest "
                  "decides; a web client gets 403")
      .type_name("CIDR")
      .allow_extra_args(false)
      .check(&check_network)
      .group(group);
}

void check_limits(const CommandLine& line, LimitOptions& limits, const LimitWords& words) {
  limits.allowed = networks(words.allowed);
  limits.denied = networks(words.denied);
  const auto need = [&](const char* flag, bool has_what_it_needs, const char* cure) {
    if (line.count(flag) == 0 || has_what_it_needs) return;
    throw std::invalid_argument(fmt::format("{}: alone it limits nothing. Cure: {}", flag, cure));
  };
  need("--burst", limits.rate != 0, "--rate 10/s beside it");
  need("--rate-entries", limits.rate != 0, "--rate 10/s beside it");
  need("--rate-prefix", limits.rate != 0 || limits.connections_max != 0,
       "--rate 10/s or --max-connections-per-client 20 beside it");
}

std::string limits_text(const LimitOptions& limits) {
  std::string text;
  const auto add = [&](const std::string& what) { text += (text.empty() ? "" : ", ") + what; };
  if (limits.rate != 0) {
    add(fmt::format("{}/s a client, {} at once ({} clients in {} KiB)", limits.rate, limits.burst,
                    limits.entries, limits.entries / 64));
  }
  if (limits.rate_total != 0) add(fmt::format("{}/s in all", limits.rate_total));
  if (limits.connections_max != 0) {
    add(fmt::format("{} connections a client", limits.connections_max));
  }
  if (limits.delay_max_ms != 0) add(fmt::format("nobody above {} ms", limits.delay_max_ms));
  if (!limits.allowed.empty()) add(fmt::format("{} networks allowed", limits.allowed.size()));
  if (!limits.denied.empty()) add(fmt::format("{} networks denied", limits.denied.size()));
  return text;
}

}  // namespace lab
