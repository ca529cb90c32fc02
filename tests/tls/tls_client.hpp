// A TLS client without a socket: OpenSSL with its bytes in memory, and the certificates of tests.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "06-server/lib/protocol/tls/tls_certificate.hpp"
#include "06-server/lib/protocol/tls/tls_options.hpp"

namespace lab::test {

struct SessionFree {
  void operator()(SSL_SESSION* session) const noexcept { SSL_SESSION_free(session); }
  void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
};
using SessionPointer = std::unique_ptr<SSL_SESSION, SessionFree>;

struct TlsClientOptions {
  int version = TLS1_3_VERSION;
  std::string name;                ///< SNI
  std::vector<std::string> alpn;   ///< what it proposes
  SSL_SESSION* session = nullptr;  ///< to resume
  std::string certificate;         ///< PEM files
  std::string key;
};

class TlsClient {
 public:
  explicit TlsClient(const TlsClientOptions& options = {});
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  /// Bytes of the server have come: goes on with the handshake, and reads.
  void feed(std::string_view records);
  /// What goes to the server, taken away.
  std::string take_records();
  /// REQUIRES: connected().
  void write(std::string_view text);
  void key_update();
  void renegotiate();
  void close_notify() { SSL_shutdown(ssl_.get()); }

  bool connected() const { return SSL_is_init_finished(ssl_.get()) == 1; }
  bool resumed() const { return SSL_session_reused(ssl_.get()) == 1; }
  bool got_close_notify() const {
    return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
  }
  int alert() const { return alert_; }  ///< fatal, from the server; -1: none
  bool failed() const { return failed_; }
  std::string alpn() const;
  std::string server_name() const;  ///< the common name in its certificate
  SessionPointer session() const { return SessionPointer(SSL_get1_session(ssl_.get())); }

  std::string text;  ///< what the server said

 private:
  static void on_info(const SSL* ssl, int where, int value);

  TlsContextPointer context_;
  std::unique_ptr<SSL, SessionFree> ssl_;
  int alert_ = -1;
  bool failed_ = false;
};

/// PEM files in a folder that goes away with the test.
class TlsFiles {
 public:
  struct Pair {
    std::string certificate;
    std::string key;
  };

  TlsFiles();
  ~TlsFiles();
  TlsFiles(const TlsFiles&) = delete;
  TlsFiles& operator=(const TlsFiles&) = delete;

  /// @param names of hosts; the first is its common name
  /// @param issuer who vouches for it; null: itself
  Pair make(const std::vector<std::string>& names, const Pair* issuer = nullptr);
  std::string write(const std::string& name, const std::string& content);
  const std::string& folder() const { return folder_; }

 private:
  std::string folder_;
  unsigned count_ = 0;
};

}  // namespace lab::test
