// What a TLS server can be told.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lab {

enum class TlsVersion : std::uint8_t { tls_1_2, tls_1_3 };

struct TlsOptions {
  /// PEM files: the certificate with those that vouch for it behind, and its key. One of each per
  /// pair, in the same order; the first is for whoever asks for no name, or for an unknown one.
  std::vector<std::string> certificates;
  std::vector<std::string> keys;
  bool self_signed = false;  ///< a certificate for localhost, made in memory, instead of files
  TlsVersion version_min = TlsVersion::tls_1_2;
  /// PEM file with authorities: a client must have a certificate that one of them vouches for.
  /// Empty: no client is asked.
  std::string client_ca;
  bool strict_sni = false;  ///< an unknown name, or none, is refused
  /// Protocols that are spoken inside, the best first. Empty: whatever a client proposes is passed
  /// over in silence.
  std::vector<std::string> alpn;

  unsigned handshakes_max = 64;  ///< at once in each worker; who comes later waits
  unsigned handshake_ms = 10'000;
  /// Buffers of 16 KiB for decrypted bytes in each worker: one, and one more for each that a
  /// protocol keeps. They take memory when they are used.
  unsigned plain_buffers = 64;
};

}  // namespace lab
