#include "06-server/lib/protocol/tls/tls_session.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <utility>

namespace lab {

namespace {

TlsFailure failure_of(unsigned long error) noexcept {
  if (ERR_GET_LIB(error) != ERR_LIB_SSL) return TlsFailure::other;
  switch (ERR_GET_REASON(error)) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
      return TlsFailure::version;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SHARED_GROUPS:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
      return TlsFailure::cipher;
    case SSL_R_NO_APPLICATION_PROTOCOL:
      return TlsFailure::protocol;
    case SSL_R_CALLBACK_FAILED:  // the one that looks for the name
      return TlsFailure::name;
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return TlsFailure::certificate;
    default:
      return ERR_GET_REASON(error) >= SSL_AD_REASON_OFFSET ? TlsFailure::refused
                                                           : TlsFailure::other;
  }
}

}  // namespace

bool TlsSession::begin(ssl_ctx_st& context) noexcept {
  ssl_ = SSL_new(&context);
  BIO* const bio = ssl_ != nullptr ? bio_.make_bio() : nullptr;
  if (bio == nullptr) {
    end();
    ERR_clear_error();
    return false;
  }
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_accept_state(ssl_);
  return true;
}

TlsSession::Step TlsSession::handshake() noexcept { return step_of(SSL_do_handshake(ssl_)); }

bool TlsSession::resumed() const noexcept { return SSL_session_reused(ssl_) == 1; }

TlsSession::Read TlsSession::read(std::span<std::byte> space) noexcept {
  std::size_t count = 0;
  const Step step = step_of(SSL_read_ex(ssl_, space.data(), space.size(), &count));
  return {.step = step, .count = static_cast<std::uint32_t>(count)};
}

TlsSession::Read TlsSession::peek(std::span<std::byte> space) noexcept {
  std::size_t count = 0;
  const Step step = step_of(SSL_peek_ex(ssl_, space.data(), space.size(), &count));
  return {.step = step, .count = static_cast<std::uint32_t>(count)};
}

TlsSession::Step TlsSession::write(std::span<const std::byte> bytes) noexcept {
  std::size_t count = 0;
  return step_of(SSL_write_ex(ssl_, bytes.data(), bytes.size(), &count));
}

// In the middle of a handshake there is nobody to say it to.
void TlsSession::close_notify() noexcept {
  if (SSL_in_init(ssl_) == 0) SSL_shutdown(ssl_);
  ERR_clear_error();
}

void TlsSession::end() noexcept {
  SSL_free(std::exchange(ssl_, nullptr));
  bio_.clear();
}

TlsSession::Step TlsSession::step_of(int result) noexcept {
  Step step = Step::done;
  if (bio_.broken()) {
    step = Step::failed;
  } else if (result != 1) {
    switch (SSL_get_error(ssl_, result)) {
      case SSL_ERROR_WANT_READ:
        step = Step::more;
        break;
      case SSL_ERROR_ZERO_RETURN:
        step = Step::closed;
        break;
      default:
        failure_ = failure_of(ERR_peek_error());
        step = Step::failed;
        break;
    }
  }
  ERR_clear_error();
  return step;
}

}  // namespace lab
