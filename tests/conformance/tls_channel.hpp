// TLS on a non-blocking socket, as a client of OpenSSL's has it: it shares nothing with the
// server's. No certificate is checked, for a test's server makes its own.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace lab {

// Used by one thread at a time; the socket outlives it. What the server may not do throws Failure.
class TlsChannel {
 public:
  // `name` begins a failure's text.
  TlsChannel(int fd, std::string name);

  // False: more has to come, or to leave, first.
  bool shake_hands();
  // Bytes taken, of which some may be waiting as a record; 0 while those of the last call are.
  std::size_t send(std::span<const std::byte> bytes);
  // Sends what waits. False: there is no room for all of it.
  bool flush();
  // Bytes received. 0: there are none now, or ended(), or was_reset().
  std::size_t receive(std::span<std::byte> space);
  // Nothing more is sent but close_notify and a FIN behind it: at once, or by a later flush().
  void finish();

  bool holds_records() const { return BIO_ctrl_pending(SSL_get_wbio(ssl_.get())) > 0 || left_ > 0; }
  // Decrypted bytes that poll(2) knows nothing of.
  bool has_bytes() const { return SSL_pending(ssl_.get()) > 0; }
  // True when the server's close_notify and its FIN have come.
  bool ended() const { return ended_; }
  bool was_reset() const { return reset_; }

 private:
  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  // False: later. Throws.
  bool judge(int result);
  void demand_fin();
  bool send_left();

  int fd_;
  std::string name_;
  std::unique_ptr<SSL, Free> ssl_;
  std::string records_;    // being sent
  std::size_t left_ = 0;   // of them, the last ones
  bool finishes_ = false;  // a FIN follows what is left
  bool said_goodbye_ = false;
  bool ended_ = false;
  bool reset_ = false;
};

}  // namespace lab
