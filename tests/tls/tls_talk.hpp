// A TLS client and a protocol, without a socket between them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "06-server/lib/protocol/echo.hpp"
#include "06-server/lib/protocol/lines.hpp"
#include "06-server/lib/protocol/tls/tls.hpp"
#include "tests/protocol/test_io.hpp"
#include "tests/tls/tls_client.hpp"

namespace lab::test {

inline constexpr std::size_t whole = ~std::size_t{0};

template <class P>
class TlsTalk {
 public:
  explicit TlsTalk(typename P::Shared& shared, const TlsClientOptions& options = {},
                   const TestLimits& limits = {})
      : client(options), server(shared, limits) {}

  /// Until neither has anything to say. Bytes reach the server in pieces.
  void go_on(std::size_t piece = whole) {
    for (;;) {
      server.settle();
      client.feed(std::exchange(server.output, {}));
      const std::string records = client.take_records();
      if (records.empty() && server.output.empty()) return;
      server.feed(records, piece);
    }
  }
  void say(std::string_view text, std::size_t piece = whole) {
    client.write(text);
    go_on(piece);
  }
  bool connect(std::size_t piece = whole) {
    go_on(piece);
    return client.connected();
  }

  TlsClient client;
  TestConnection<P> server;
};

inline TlsOptions self_signed() {
  TlsOptions options;
  options.self_signed = true;
  return options;
}

}  // namespace lab::test
