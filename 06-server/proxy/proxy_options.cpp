#include "06-server/proxy/proxy_options.hpp"

namespace lab {

namespace {

enum class ProxyProtocol : std::uint8_t { v1 };

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
                  "is looked up once, at the start, and each of its addresses is an upstream")
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

}  // namespace lab
