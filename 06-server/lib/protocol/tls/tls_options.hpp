// What a TLS server can be told.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lab {

/// The versions that are spoken. Older ones are not (RFC 8996).
enum class TlsVersion : std::uint8_t {
  tls_1_2,  ///< RFC 5246
  tls_1_3   ///< RFC 8446
};

/// Each is an option of the command line.
struct TlsOptions {
  /// PEM files: the certificate with those that vouch for it behind, and its key. One of each per
  /// pair, in the same order; the first is for whoever asks for no name, or for an unknown one.
  std::vector<std::string> certificates;
  std::vector<std::string> keys;  ///< PEM files, one for each certificate
  bool self_signed = false;       ///< a certificate for localhost, made in memory, instead of files
  TlsVersion version_min =
      TlsVersion::tls_1_2;  ///< a client that speaks only older ones is refused
  /// PEM file with authorities: a client must have a certificate that one of them vouches for.
  /// Empty: no client is asked.
  std::string client_ca;
  bool strict_sni = false;  ///< an unknown name, or none, is refused
  /// Protocols that are spoken inside, the best first. Empty: whatever a client proposes is passed
  /// over in silence.
  std::vector<std::string> alpn;

  unsigned handshakes_max = 64;    ///< at once in each worker; who comes later waits
  unsigned handshake_ms = 10'000;  ///< from the connection's start; then it ends
  /// Buffers of 16 KiB for decrypted bytes in each worker: one, and one more for each that a
  /// protocol keeps. They take memory when they are used.
  unsigned plain_buffers = 64;
};

}  // namespace lab
