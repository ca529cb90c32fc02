#include "tests/conformance/tls_channel.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "tests/conformance/client.hpp"

namespace lab {

namespace {

constexpr std::size_t record_size_max = 16384;

SSL_CTX& context() {
  static SSL_CTX* const made = [] {
    SSL_CTX* const one = SSL_CTX_new(TLS_client_method());
    if (one == nullptr) throw Failure("client: OpenSSL makes no context");
    SSL_CTX_set_session_cache_mode(one, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(one, SSL_MODE_RELEASE_BUFFERS);
    return one;
  }();
  return *made;
}

bool is_reset(int error) { return error == ECONNRESET || error == EPIPE; }

}  // namespace

// Records are read by OpenSSL itself. They are written into memory first: what it could not send
// it would want to be given again.
TlsChannel::TlsChannel(int fd, std::string name)
    : fd_(fd), name_(std::move(name)), ssl_(SSL_new(&context())) {
  if (!ssl_) throw Failure("client: no memory for TLS");
  SSL_set_bio(ssl_.get(), BIO_new_socket(fd, BIO_NOCLOSE), BIO_new(BIO_s_mem()));
  SSL_set_connect_state(ssl_.get());
}

bool TlsChannel::shake_hands() {
  if (!flush()) return false;
  const bool done = judge(SSL_do_handshake(ssl_.get()));
  return flush() && done && !reset_;
}

std::size_t TlsChannel::send(std::span<const std::byte> bytes) {
  std::size_t done = 0;
  while (flush() && done < bytes.size() && !reset_) {
    std::size_t count = 0;
    const std::size_t size = std::min(bytes.size() - done, record_size_max);
    if (!judge(SSL_write_ex(ssl_.get(), bytes.data() + done, size, &count))) break;
    done += count;
  }
  return done;
}

bool TlsChannel::flush() {
  while (left_ > 0 || BIO_ctrl_pending(SSL_get_wbio(ssl_.get())) > 0) {
    if (left_ == 0) {
      records_.resize(BIO_ctrl_pending(SSL_get_wbio(ssl_.get())));
      left_ = records_.size();
      BIO_read(SSL_get_wbio(ssl_.get()), records_.data(), static_cast<int>(left_));
    }
    if (!send_left()) return false;
  }
  // ENOTCONN: a reset came first, and the receive that follows says so.
  if (std::exchange(finishes_, false) && shutdown(fd_, SHUT_WR) != 0 && errno != ENOTCONN) {
    throw Failure(fmt::format("{}shutdown: {}", name_, std::strerror(errno)));
  }
  return true;
}

bool TlsChannel::send_left() {
  const ssize_t count = ::send(fd_, records_.data() + records_.size() - left_, left_, MSG_NOSIGNAL);
  if (count >= 0) {
    left_ -= static_cast<std::size_t>(count);
  } else if (is_reset(errno)) {
    reset_ = true;
    left_ = 0;
  } else if (errno != EAGAIN && errno != EINTR) {
    throw Failure(fmt::format("{}send: {}", name_, std::strerror(errno)));
  }
  return count >= 0 || errno != EAGAIN;
}

std::size_t TlsChannel::receive(std::span<std::byte> space) {
  flush();
  std::size_t done = 0;
  while (done < space.size() && !said_goodbye_ && !reset_) {
    std::size_t count = 0;
    if (!judge(SSL_read_ex(ssl_.get(), space.data() + done, space.size() - done, &count))) break;
    done += count;
  }
  if (done == 0 && said_goodbye_) demand_fin();
  return done;
}

void TlsChannel::finish() {
  if (!reset_) SSL_shutdown(ssl_.get());
  ERR_clear_error();
  finishes_ = true;
  flush();
}

bool TlsChannel::judge(int result) {
  if (result == 1) return true;
  const int system_error = errno;
  const int why = SSL_get_error(ssl_.get(), result);
  const unsigned long error = ERR_peek_error();
  ERR_clear_error();
  if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return false;
  if (why == SSL_ERROR_ZERO_RETURN) {
    said_goodbye_ = true;
  } else if (why == SSL_ERROR_SYSCALL && is_reset(system_error)) {
    reset_ = true;
  } else if (ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    throw Failure(name_ + "the server's FIN came without a close_notify before it");
  } else {
    const char* const reason = ERR_reason_error_string(error);
    throw Failure(fmt::format("{}TLS: {}", name_, reason != nullptr ? reason : "an error"));
  }
  return false;
}

// Nothing but a FIN may follow close_notify.
void TlsChannel::demand_fin() {
  std::array<char, 1> byte;
  const ssize_t count = recv(fd_, byte.data(), byte.size(), 0);
  if (count > 0) throw Failure(name_ + "bytes came after the server's close_notify");
  if (count == 0) ended_ = true;
  if (count < 0 && is_reset(errno)) reset_ = true;
}

}  // namespace lab
