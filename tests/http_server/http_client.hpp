// A client of HTTP on a plain socket: what it sends is the test's, what comes is taken apart.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "02-files/lib/fd.hpp"
#include "tests/http/transcript.hpp"
#include "tests/server/support.hpp"
#include "tests/tls/tls_client.hpp"

namespace lab {

/// One connection. Whatever waits throws Failure when patience is over.
class HttpClient {
 public:
  /// @param receive_buffer bytes that the kernel takes before it is read; 0: as many as usual
  /// @param tls what it says in TLS; none: it speaks plain text
  explicit HttpClient(std::uint16_t port, int receive_buffer = 0,
                      std::optional<test::TlsClientOptions> tls = {});

  void send(std::string_view bytes);
  /// "GET path", with fields: lines that each end with \r\n.
  void ask(std::string_view path, std::string_view fields = {}, std::string_view method = "GET");
  /// The next answer, whole. Throws Failure where the server ends instead.
  test::HttpAnswer answer(bool to_head = false);
  test::HttpAnswer get(std::string_view path, std::string_view fields = {}) {
    ask(path, fields);
    return answer();
  }
  /// Reads until something has come.
  void wait_for_bytes();
  /// What comes until the end, an answer or a part of one.
  std::string rest() {
    while (receive()) {
    }
    return std::move(received_);
  }
  /// Leaves with a reset, and may do nothing more.
  void reset();
  /// Waits for the end: true when it is the server's FIN, with nothing before it but, over TLS, a
  /// close_notify.
  bool ended();
  /// REQUIRES TLS.
  const test::TlsClient& tls() const { return *tls_; }

 private:
  /// @return false at the end
  bool receive();

  void send_raw(std::string_view bytes);

  Fd socket_;
  std::optional<test::TlsClient> tls_;
  std::string received_;
  bool was_reset_ = false;
};

}  // namespace lab
