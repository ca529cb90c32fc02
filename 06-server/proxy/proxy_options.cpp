#include "06-server/proxy/proxy_options.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>

#include <memory>
#include <optional>
#include <stdexcept>

#include "05-performance/bench/host_port.hpp"

namespace lab {

namespace {

enum class ProxyProtocol : std::uint8_t { v1 };

SocketAddress find(const std::string& text) {
  const HostPort place = split_host_port(text, std::nullopt);
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error =
      getaddrinfo(place.host.c_str(), std::to_string(*place.port).c_str(), &wanted, &found);
  if (error != 0) {
    throw std::invalid_argument(fmt::format(
        "{} is not found: {}. Cure: an address, or a name that this machine can look up", text,
        gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> all(found, &freeaddrinfo);
  return SocketAddress::from(*found->ai_addr, found->ai_addrlen);
}

}  // namespace

void add_proxy_options(CommandLine& line, ProxyOptions& options) {
  const std::string group = "Proxy";
  line.add_option("--to", options.to,
                  "An upstream, where clients are sent; again for each of them, at most 64. A name "
                  "is looked up once, at the start")
      .type_name("HOST:PORT")
      .allow_extra_args(false)
      .required()
      .group(group);
  line.add_choice("--balance", options.balance,
                  {{"round-robin", Balance::round_robin}, {"fewest", Balance::fewest}},
                  "Who gets the next client: round-robin, each in turn; fewest, the one with the "
                  "fewest connections. Each worker counts its own")
      .default_str("round-robin")
      .group(group);
  line.add_option("--connect-timeout-ms", options.connect_timeout_ms,
                  "So long an upstream may take to answer; then the next one is tried")
      .check(in_range(1U, 600'000U))
      .capture_default_str()
      .group(group);
  line.add_option("--rest-ms", options.rest_ms,
                  "An upstream that did not take a client gets none for so long, while there are "
                  "others")
      .check(in_range(0U, 600'000U))
      .capture_default_str()
      .group(group);
  line.add_option_function(
          "--proxy-protocol", [&options](const std::string&) { options.proxy_protocol = true; },
          "v1: the first line that an upstream reads says where the client comes from. It must "
          "expect it (nginx: listen ... proxy_protocol). Linux 6.8; before, it says UNKNOWN")
      .type_name("VERSION")
      .check(one_of({"v1"}))
      .group(group);
}

std::vector<SocketAddress> find_upstreams(const std::vector<std::string>& to) {
  if (to.size() > Upstreams::upstreams_max) {
    throw std::invalid_argument(
        fmt::format("{} upstreams are too many. Cure: at most {}, and behind them other proxies",
                    to.size(), Upstreams::upstreams_max));
  }
  std::vector<SocketAddress> all;
  for (const std::string& one : to) all.push_back(find(one));
  return all;
}

}  // namespace lab
