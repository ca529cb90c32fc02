#include "06-server/lib/protocol/tls/tls_context.hpp"

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "01-core/lib/assert.hpp"
#include "06-server/lib/protocol/tls/tls_error.hpp"

#if OPENSSL_VERSION_NUMBER < 0x30000000L
#error "OpenSSL 3.0 or newer is needed. Cure: ./lab setup on Debian 12, Ubuntu 24.04 or newer"
#endif

namespace lab {

namespace {

// Forward secrecy and authenticated encryption alone. TLS 1.3 has nothing else.
constexpr const char* ciphers_of_1_2 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* curves = "X25519:P-256:P-384";
// Less than a ticket key lives.
constexpr long session_seconds = 2 * 3600;
constexpr std::size_t iv_size = 16;

void check_rule(bool taken, const char* what) {
  if (!taken) {
    throw TlsError(
        fmt::format("OpenSSL refuses {}: {}. Cure: OpenSSL 3.0 or newer, and a "
                    "configuration of it that allows this",
                    what, take_tls_error()));
  }
}

bool start_ticket(const TicketKey& key, const unsigned char* iv, EVP_CIPHER_CTX* cipher,
                  EVP_MAC_CTX* mac, int encrypt) noexcept {
  char digest[] = "SHA256";
  auto& mac_key = const_cast<unsigned char&>(key.mac.front());
  const std::array<OSSL_PARAM, 3> params{
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, &mac_key, key.mac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key.cipher.data(), iv, encrypt) ==
             1 &&
         EVP_MAC_CTX_set_params(mac, params.data()) == 1;
}

const TlsContext& context_of(SSL* ssl) noexcept {
  return *static_cast<const TlsContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
}

// 1: go on; 2: go on, and give the client a newer one; 0: no ticket; -1: an error.
int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
              EVP_MAC_CTX* mac, int encrypt) {
  TicketKeys& keys = *context_of(ssl).ticket_keys();
  const std::uint64_t now = TlsContext::now_seconds();
  if (encrypt == 1) {
    const TicketKey key = keys.current(now);
    if (RAND_bytes(iv, iv_size) != 1) return -1;
    std::memcpy(name, key.name.data(), key.name.size());
    return start_ticket(key, iv, cipher, mac, encrypt) ? 1 : -1;
  }
  const std::optional<TicketKeys::Found> found = keys.find(name, now);
  if (!found) return 0;
  if (!start_ticket(found->key, iv, cipher, mac, encrypt)) return -1;
  return found->is_current ? 1 : 2;
}

int on_name(SSL* ssl, int* alert, void* argument) {
  const auto& context = *static_cast<const TlsContext*>(argument);
  const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (SSL_CTX* const found = name != nullptr ? context.find(name) : nullptr) {
    SSL_set_SSL_CTX(ssl, found);
    return SSL_TLSEXT_ERR_OK;
  }
  if (!context.options().strict_sni) return SSL_TLSEXT_ERR_NOACK;
  *alert = SSL_AD_UNRECOGNIZED_NAME;
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

// A client that proposes only what is not spoken here is told so: RFC 7301, 3.2.
int on_alpn(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
            const unsigned char* proposed, unsigned int proposed_size, void* argument) {
  const std::vector<unsigned char>& spoken = static_cast<const TlsContext*>(argument)->alpn();
  const int result =
      SSL_select_next_proto(const_cast<unsigned char**>(chosen), chosen_size, spoken.data(),
                            static_cast<unsigned>(spoken.size()), proposed, proposed_size);
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

}  // namespace

TlsContext::TlsContext(const TlsOptions& options, const TlsContents& contents,
                       std::shared_ptr<TicketKeys> ticket_keys)
    : options_(options), ticket_keys_(std::move(ticket_keys)) {
  ERR_clear_error();
  if (!ticket_keys_) ticket_keys_ = std::make_shared<TicketKeys>(now_seconds());
  for (const std::string& protocol : options_.alpn) {
    alpn_.push_back(static_cast<unsigned char>(protocol.size()));
    alpn_.insert(alpn_.end(), protocol.begin(), protocol.end());
  }
  if (options_.certificates.size() != options_.keys.size()) {
    throw TlsError(
        fmt::format("{} certificates and {} keys. Cure: one --tls-key for each "
                    "--tls-cert, in the same order",
                    options_.certificates.size(), options_.keys.size()));
  }
  if (options_.certificates.empty() && !options_.self_signed) {
    throw TlsError(
        "there is no certificate. Cure: --tls-cert and --tls-key, or --tls self-signed for a "
        "first try");
  }
  LAB_ASSERT(contents.certificates.size() == options_.certificates.size());
  LAB_ASSERT(contents.keys.size() == options_.keys.size());
  for (std::size_t index = 0; index < options_.certificates.size(); ++index) {
    contexts_.push_back(make_context(contents));
    use_certificate(*contexts_.back(),
                    {.name = options_.certificates[index], .text = contents.certificates[index]},
                    {.name = options_.keys[index], .text = contents.keys[index]});
  }
  if (contexts_.empty()) {
    contexts_.push_back(make_context(contents));
    use_self_signed(*contexts_.back(), make_self_signed());
  }
}

TlsContext::~TlsContext() = default;

std::string TlsContext::fingerprint() const {
  return fingerprint_of(*SSL_CTX_get0_certificate(&first()));
}

std::string TlsContext::host() const { return host_of(*SSL_CTX_get0_certificate(&first())); }

ssl_ctx_st* TlsContext::find(const char* name) const noexcept {
  for (const TlsContextPointer& context : contexts_) {
    X509* const certificate = SSL_CTX_get0_certificate(context.get());
    if (X509_check_host(certificate, name, 0, 0, nullptr) == 1) return context.get();
  }
  return nullptr;
}

// A clock that goes on over a reload, and that nobody sets.
std::uint64_t TlsContext::now_seconds() noexcept {
  timespec time{};
#ifdef CLOCK_BOOTTIME
  clock_gettime(CLOCK_BOOTTIME, &time);
#else
  clock_gettime(CLOCK_MONOTONIC, &time);  // it may stand still while the machine sleeps
#endif
  return static_cast<std::uint64_t>(time.tv_sec);
}

TlsContextPointer TlsContext::make_context(const TlsContents& contents) {
  TlsContextPointer context(SSL_CTX_new(TLS_server_method()));
  check_rule(context != nullptr, "a context");
  set_rules(*context);
  set_client_ca(*context, contents);
  return context;
}

void TlsContext::set_rules(ssl_ctx_st& context) {
  SSL_CTX_set_app_data(&context, this);
  const int version = options_.version_min == TlsVersion::tls_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
  check_rule(SSL_CTX_set_min_proto_version(&context, version) == 1, "the lowest version");
  check_rule(SSL_CTX_set_cipher_list(&context, ciphers_of_1_2) == 1, "the ciphers");
  check_rule(SSL_CTX_set1_groups_list(&context, curves) == 1, "the curves");
  SSL_CTX_set_options(&context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_mode(&context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_max_early_data(&context, 0);
  // No session is remembered here: the ticket holds it, and any worker can read it.
  SSL_CTX_set_session_cache_mode(&context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_timeout(&context, session_seconds);
  check_rule(SSL_CTX_set_tlsext_ticket_key_evp_cb(&context, &on_ticket) == 1, "session tickets");
  SSL_CTX_set_tlsext_servername_callback(&context, &on_name);
  SSL_CTX_set_tlsext_servername_arg(&context, this);
  if (!alpn_.empty()) SSL_CTX_set_alpn_select_cb(&context, &on_alpn, this);
}

// A session says that its client was vouched for: it is resumed only where the same authorities
// count.
void TlsContext::set_client_ca(ssl_ctx_st& context, const TlsContents& contents) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> about{};
  unsigned int about_size = 1;
  if (!options_.client_ca.empty()) {
    const std::string all =
        use_authorities(context, {.name = options_.client_ca, .text = contents.client_ca});
    SSL_CTX_set_verify(&context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    check_rule(
        EVP_Digest(all.data(), all.size(), about.data(), &about_size, EVP_sha256(), nullptr) == 1,
        "a digest");
  }
  check_rule(SSL_CTX_set_session_id_context(&context, about.data(), about_size) == 1,
             "the sessions' context");
}

}  // namespace lab
