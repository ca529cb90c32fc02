#include "06-server/proxy/proxy_options.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>

#include <memory>
#include <stdexcept>
#include <string_view>

#include "05-performance/bench/host_port.hpp"

namespace lab {

namespace {

enum class ProxyProtocol : std::uint8_t { v1 };

// The address in a URL, with the port that its scheme means.
std::string address_of(std::string_view url) {
  const std::size_t scheme = url.find("://");
  const std::string_view rest = url.substr(scheme + 3);
  const HostPort place = split_host_port(rest.substr(0, rest.find_first_of("/?#")));
  const bool over_tls = url.starts_with("https");
  return host_port_text(place.host, place.port.value_or(over_tls ? 443 : 80));
}

HostPort split(const std::string& text) {
  if (text.find("://") != std::string::npos) {
    throw std::invalid_argument(
        fmt::format("{} is a URL, and connections are passed on whatever they carry. Cure: --to {}",
                    text, address_of(text)));
  }
  const HostPort place = split_host_port(text);
  if (!place.port) {
    throw std::invalid_argument(fmt::format("{} has no port. Cure: HOST:PORT, as in {}", text,
                                            host_port_text(place.host, 9001)));
  }
  return place;
}

SocketAddress find(const std::string& text) {
  const HostPort place = split(text);
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

// Whoever knows the other servers looks for their flags here.
void refuse_tls_flags(CommandLine& line) {
  line.add_flag_callback(
          "--tls,--tls-cert,--tls-key,--tls-min,--tls-client-ca,--tls-strict-sni",
          [&line] {
            line.refuse("--tls",
                        "the proxy passes bytes on as they are, TLS included, and has none of its "
                        "own. Cure: leave it out here, and give it to the servers behind");
          },
          "")
      .group("");
}

}  // namespace

void add_proxy_options(CommandLine& line, ProxyOptions& options) {
  refuse_tls_flags(line);
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
