// A certificate and its key: read from PEM text, or made on the spot for a first try.
//
// Lifetime: its own; a context takes what it needs of it. Throws TlsError with cause and cure.
#pragma once

#include <memory>
#include <string>

struct x509_st;
struct evp_pkey_st;
struct ssl_ctx_st;

namespace lab {

/// Gives back what OpenSSL has made.
struct TlsFree {
  /// A certificate.
  void operator()(x509_st* certificate) const noexcept;
  /// A key.
  void operator()(evp_pkey_st* key) const noexcept;
  /// A context; connections that use it keep it.
  void operator()(ssl_ctx_st* context) const noexcept;
};
/// Owns a certificate, or none.
using TlsCertificatePointer = std::unique_ptr<x509_st, TlsFree>;
/// Owns a private key, or none.
using TlsKeyPointer = std::unique_ptr<evp_pkey_st, TlsFree>;
/// Owns one reference to a context, or none.
using TlsContextPointer = std::unique_ptr<ssl_ctx_st, TlsFree>;

/// For localhost, 127.0.0.1 and ::1, for 30 days, with a new key on P-256.
struct SelfSigned {
  TlsCertificatePointer certificate;  ///< vouches for itself
  TlsKeyPointer key;                  ///< its private key
};
/// Each call makes another key. @throws TlsError
SelfSigned make_self_signed();

/// The context shows it from now on. @throws TlsError
void use_self_signed(ssl_ctx_st& context, const SelfSigned& made);

/// Text of a PEM file, and the file's name for what is said of it.
struct PemText {
  const std::string& name;  ///< of the file, for messages
  const std::string& text;  ///< what stands in it
};
/// The context shows the certificate and those that vouch for it from now on. @throws TlsError with
/// cause and cure, for example when the key is another certificate's
void use_certificate(ssl_ctx_st& context, const PemText& certificate, const PemText& key);
/// Clients' certificates are those of these. @return what tells these authorities from others
std::string use_authorities(ssl_ctx_st& context, const PemText& authorities);

/// A name that the certificate is for, to try it with; empty: it has none.
std::string host_of(const x509_st& certificate);

/// SHA-256, as browsers show it: "AB:CD:…".
std::string fingerprint_of(const x509_st& certificate);

}  // namespace lab
