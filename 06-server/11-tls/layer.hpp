// TLS without a socket: bytes go in, bytes come out, and OpenSSL sees two functions.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace layer {

enum class Role { client, server };

/// One side of one connection.
class Layer {
 public:
  Layer(SSL_CTX& context, Role role) : ssl_(SSL_new(&context)) {
    BIO* const bio = BIO_new(two_functions());
    BIO_set_data(bio, this);
    SSL_set_bio(ssl_, bio, bio);  // the BIO is the SSL's now
    role == Role::server ? SSL_set_accept_state(ssl_) : SSL_set_connect_state(ssl_);
  }
  ~Layer() { SSL_free(ssl_); }
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;

  // [walk turn]
  /// These bytes have come. Says the text of each record, and returns what has to be sent.
  std::string turn(std::string_view input, const auto& tell) {
    input_ = input;
    std::array<char, 16384> text;  // no record holds more
    std::size_t size = 0;
    while (SSL_read_ex(ssl_, text.data(), text.size(), &size) == 1) {
      tell(*this, std::string_view(text.data(), size));
    }
    ERR_clear_error();
    return take();
  }
  std::string turn(std::string_view input) {
    return turn(input, [](Layer&, std::string_view) {});
  }
  // [/walk]

  // [walk write]
  /// Small records first, so that the other side can read the beginning early.
  void write(std::string_view text) {
    while (!text.empty()) {
      const std::size_t record = sent_ < grown_after ? record_first : record_max;
      std::size_t size = 0;
      SSL_write_ex(ssl_, text.data(), std::min(text.size(), record), &size);
      sent_ += size;
      text.remove_prefix(size);
    }
  }
  // [/walk]

  /// Says that nothing follows. What it returns has to be sent before the FIN.
  std::string finish() {
    SSL_shutdown(ssl_);
    ERR_clear_error();
    return take();
  }

  /// What is to be sent, taken away.
  std::string take() { return std::exchange(output_, {}); }

  bool connected() const { return SSL_is_init_finished(ssl_) == 1; }
  bool resumed() const { return SSL_session_reused(ssl_) == 1; }
  /// The other side's close_notify has come.
  bool heard_the_end() const { return (SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) != 0; }
  /// How often OpenSSL has written. Over a socket each would be a system call.
  unsigned writes() const { return writes_; }
  SSL* ssl() { return ssl_; }

 private:
  static constexpr std::size_t record_first = 1400;  // with its frame, one segment of TCP
  static constexpr std::size_t record_max = 16320;   // with its frame, a buffer of 16 KiB
  static constexpr std::size_t grown_after = 65536;

  // [walk bio]
  static int on_read(BIO* bio, char* space, std::size_t size, std::size_t* count) {
    std::string_view& input = owner(bio).input_;
    *count = std::min(size, input.size());
    BIO_clear_retry_flags(bio);
    if (*count == 0) {
      BIO_set_retry_read(bio);  // becomes SSL_ERROR_WANT_READ
      return -1;
    }
    std::memcpy(space, input.data(), *count);
    input.remove_prefix(*count);
    return 1;
  }

  static int on_write(BIO* bio, const char* bytes, std::size_t size, std::size_t* count) {
    owner(bio).output_.append(bytes, size);
    ++owner(bio).writes_;
    *count = size;
    return 1;
  }
  // [/walk]

  static long on_control(BIO*, int what, long, void*) { return what == BIO_CTRL_FLUSH ? 1 : 0; }
  static int on_create(BIO* bio) {
    BIO_set_init(bio, 1);
    return 1;
  }
  static Layer& owner(BIO* bio) { return *static_cast<Layer*>(BIO_get_data(bio)); }

  static const BIO_METHOD* two_functions() {
    static BIO_METHOD* const made = [] {
      BIO_METHOD* const method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "memory");
      BIO_meth_set_read_ex(method, &on_read);
      BIO_meth_set_write_ex(method, &on_write);
      BIO_meth_set_ctrl(method, &on_control);
      BIO_meth_set_create(method, &on_create);
      return method;
    }();
    return made;
  }

  SSL* ssl_;
  std::string_view input_;
  std::string output_;
  std::size_t sent_ = 0;
  unsigned writes_ = 0;
};

}  // namespace layer
