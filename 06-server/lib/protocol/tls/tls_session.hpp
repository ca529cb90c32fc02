// One TLS connection of OpenSSL's, over a TlsBio: what may come of a call is said in one word, and
// its queue of errors is empty after each.
//
// Lifetime: stays where it is. Rule: called within a TlsBio::Hook.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "06-server/lib/protocol/tls/tls_bio.hpp"
#include "06-server/lib/protocol/tls/tls_counters.hpp"

struct ssl_st;
struct ssl_ctx_st;

namespace lab {

/// OpenSSL's connection, or none before begin() and after end().
class TlsSession {
 public:
  /// What has become of a call.
  enum class Step : std::uint8_t {
    done,    ///< what was asked for
    more,    ///< of the peer's bytes are needed
    closed,  ///< the peer's close_notify has come
    failed   ///< an alert was written where there is one to say; nothing follows
  };

  /// A client that begins so speaks no TLS, which begins with a record of type 22.
  static bool is_text(std::byte first) noexcept {
    const auto letter = static_cast<char>(first);
    return (letter >= ' ' && letter <= '~') || letter == '\r' || letter == '\n';
  }

  TlsSession() noexcept = default;
  ~TlsSession() { end(); }
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  TlsBio& bio() noexcept { return bio_; }
  /// Where its records come from and go to.
  const TlsBio& bio() const noexcept { return bio_; }
  /// True from begin() to end().
  explicit operator bool() const noexcept { return ssl_ != nullptr; }

  /// @return false without memory
  bool begin(ssl_ctx_st& context) noexcept;
  /// As far as the peer's bytes allow. done: bytes may be read and written.
  Step handshake() noexcept;
  /// After failed, in the handshake: why, as far as it can be told.
  TlsFailure failure() const noexcept { return failure_; }
  /// After done: the client came with a ticket that was valid.
  bool resumed() const noexcept;

  /// What a read has brought.
  struct Read {
    Step step;            ///< done: there are bytes
    std::uint32_t count;  ///< bytes, when done
  };
  /// Decrypted bytes of one record.
  Read read(std::span<std::byte> space) noexcept;
  /// The same, and they stay: the next read() or peek() brings them again.
  Read peek(std::span<std::byte> space) noexcept;
  /// One record. REQUIRES: no more than 16 KiB.
  Step write(std::span<const std::byte> bytes) noexcept;
  /// Says that nothing more will be sent. The peer may still be sending.
  void close_notify() noexcept;
  /// Gives its memory back, and says nothing.
  void end() noexcept;

 private:
  Step step_of(int result) noexcept;

  ssl_st* ssl_ = nullptr;
  TlsFailure failure_ = TlsFailure::other;
  TlsBio bio_;
};

}  // namespace lab
