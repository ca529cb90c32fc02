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

struct TlsFree {
  void operator()(x509_st* certificate) const noexcept;
  void operator()(evp_pkey_st* key) const noexcept;
  void operator()(ssl_ctx_st* context) const noexcept;
};
using TlsCertificatePointer = std::unique_ptr<x509_st, TlsFree>;
using TlsKeyPointer = std::unique_ptr<evp_pkey_st, TlsFree>;
using TlsContextPointer = std::unique_ptr<ssl_ctx_st, TlsFree>;

/// For localhost, 127.0.0.1 and ::1, for 30 days, with a new key on P-256.
struct SelfSigned {
  TlsCertificatePointer certificate;
  TlsKeyPointer key;
};
SelfSigned make_self_signed();

void use_self_signed(ssl_ctx_st& context, const SelfSigned& made);

/// Text of a PEM file, and the file's name for what is said of it.
struct PemText {
  const std::string& name;
  const std::string& text;
};
void use_certificate(ssl_ctx_st& context, const PemText& certificate, const PemText& key);
/// Clients' certificates are those of these. @return what tells these authorities from others
std::string use_authorities(ssl_ctx_st& context, const PemText& authorities);

/// A name that the certificate is for, to try it with; empty: it has none.
std::string host_of(const x509_st& certificate);

/// SHA-256, as browsers show it: "AB:CD:…".
std::string fingerprint_of(const x509_st& certificate);

}  // namespace lab
