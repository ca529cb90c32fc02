#include "06-server/lib/protocol/tls/tls_certificate.hpp"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstdint>
#include <memory>

#include "06-server/lib/protocol/tls/tls_error.hpp"

namespace lab {

namespace {

constexpr long self_signed_days = 30;

void check_made(bool made) {
  if (!made) {
    throw TlsError(fmt::format("no certificate can be made: {}. Cure: --tls-cert and --tls-key",
                               take_tls_error()));
  }
}

void add_extension(X509& certificate, int what, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, &certificate, &certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, what, value);
  check_made(extension != nullptr);
  const bool added = X509_add_ext(&certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  check_made(added);
}

// A password would be asked for on the terminal, in the middle of a start.
int no_password(char*, int, int, void*) { return 0; }

struct FreeBio {
  void operator()(BIO* bio) const noexcept { BIO_free(bio); }
};
using BioPointer = std::unique_ptr<BIO, FreeBio>;

BioPointer open_text(const PemText& pem) {
  ERR_clear_error();
  BioPointer bio(BIO_new_mem_buf(pem.text.data(), static_cast<int>(pem.text.size())));
  check_made(bio != nullptr);
  return bio;
}

// Whether what could not be read was only the end of the text.
bool text_is_over() {
  const unsigned long error = ERR_peek_last_error();
  return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

// The server's own first, then those that vouch for it.
void use_chain(ssl_ctx_st& context, const PemText& certificate) {
  const BioPointer bio = open_text(certificate);
  const TlsCertificatePointer own(PEM_read_bio_X509_AUX(bio.get(), nullptr, &no_password, nullptr));
  bool taken = own && SSL_CTX_use_certificate(&context, own.get()) == 1;
  while (taken) {
    TlsCertificatePointer next(PEM_read_bio_X509(bio.get(), nullptr, &no_password, nullptr));
    if (!next) {
      taken = text_is_over();
      break;
    }
    taken = SSL_CTX_add0_chain_cert(&context, next.get()) == 1;
    if (taken) next.release();
  }
  if (!taken) {
    throw TlsError(
        fmt::format("{} holds no certificate that can be used: {}. Cure: a PEM file, the "
                    "server's own certificate first",
                    certificate.name, take_tls_error()));
  }
  ERR_clear_error();
}

}  // namespace

void TlsFree::operator()(x509_st* certificate) const noexcept { X509_free(certificate); }
void TlsFree::operator()(evp_pkey_st* key) const noexcept { EVP_PKEY_free(key); }
void TlsFree::operator()(ssl_ctx_st* context) const noexcept { SSL_CTX_free(context); }

SelfSigned make_self_signed() {
  SelfSigned made{.certificate = TlsCertificatePointer(X509_new()),
                  .key = TlsKeyPointer(EVP_EC_gen("P-256"))};
  X509* const certificate = made.certificate.get();
  check_made(certificate != nullptr && made.key != nullptr);
  std::uint64_t serial = 0;
  check_made(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) == 1);
  X509_NAME* const name = X509_get_subject_name(certificate);
  check_made(X509_set_version(certificate, X509_VERSION_3) == 1 &&
             ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial | 1) == 1 &&
             // An hour ago: a client's clock may be a little behind.
             X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) != nullptr &&
             X509_gmtime_adj(X509_getm_notAfter(certificate), self_signed_days * 86'400) !=
                 nullptr &&
             X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                        reinterpret_cast<const unsigned char*>("localhost"), -1, -1,
                                        0) == 1 &&
             X509_set_issuer_name(certificate, name) == 1 &&
             X509_set_pubkey(certificate, made.key.get()) == 1);
  add_extension(*certificate, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1");
  add_extension(*certificate, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(*certificate, NID_ext_key_usage, "serverAuth");
  check_made(X509_sign(certificate, made.key.get(), EVP_sha256()) != 0);
  return made;
}

void use_self_signed(ssl_ctx_st& context, const SelfSigned& made) {
  check_made(SSL_CTX_use_certificate(&context, made.certificate.get()) == 1 &&
             SSL_CTX_use_PrivateKey(&context, made.key.get()) == 1);
}

void use_certificate(ssl_ctx_st& context, const PemText& certificate, const PemText& key) {
  use_chain(context, certificate);
  const BioPointer bio = open_text(key);
  const TlsKeyPointer made(PEM_read_bio_PrivateKey(bio.get(), nullptr, &no_password, nullptr));
  if (made && SSL_CTX_use_PrivateKey(&context, made.get()) == 1) return;
  const unsigned long error = ERR_peek_last_error();
  const bool mismatch =
      ERR_GET_LIB(error) == ERR_LIB_X509 && (ERR_GET_REASON(error) == X509_R_KEY_VALUES_MISMATCH ||
                                             ERR_GET_REASON(error) == X509_R_KEY_TYPE_MISMATCH);
  const std::string reason = take_tls_error();
  if (mismatch) {
    throw TlsError(
        fmt::format("the key {} does not belong to the certificate {}. Cure: name the "
                    "pairs of --tls-cert and --tls-key in the same order",
                    key.name, certificate.name));
  }
  throw TlsError(
      fmt::format("{} holds no key that can be used: {}. Cure: a PEM file with a "
                  "private key that no password protects",
                  key.name, reason));
}

std::string use_authorities(ssl_ctx_st& context, const PemText& authorities) {
  const BioPointer bio = open_text(authorities);
  std::string all;
  while (const TlsCertificatePointer one{
      PEM_read_bio_X509(bio.get(), nullptr, &no_password, nullptr)}) {
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(&context), one.get()) != 1 ||
        SSL_CTX_add_client_CA(&context, one.get()) != 1) {
      break;
    }
    all += fingerprint_of(*one);
  }
  if (!text_is_over() || all.empty()) {
    throw TlsError(
        fmt::format("{} holds no authority that can be used: {}. Cure: --tls-client-ca "
                    "with a PEM file of certificates",
                    authorities.name, take_tls_error()));
  }
  ERR_clear_error();
  return all;
}

std::string host_of(const x509_st& certificate) {
  auto* const names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr));
  std::string host;
  for (int index = 0; index < sk_GENERAL_NAME_num(names) && host.empty(); ++index) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names, index);
    if (name->type != GEN_DNS) continue;
    host.assign(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
  }
  GENERAL_NAMES_free(names);
  if (host.starts_with('*')) host.replace(0, 1, "www");
  return host;
}

std::string fingerprint_of(const x509_st& certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  check_made(X509_digest(&certificate, EVP_sha256(), digest.data(), &size) == 1);
  std::string text;
  for (unsigned int index = 0; index < size; ++index) {
    fmt::format_to(std::back_inserter(text), "{}{:02X}", index == 0 ? "" : ":", digest[index]);
  }
  return text;
}

}  // namespace lab
