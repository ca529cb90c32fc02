// The oracle of a protocol over TLS: a client of OpenSSL's that hears what the server's memory held
// when it was sent, and decrypts it. What it says next follows from that. What it asks and must be
// answered, a script of the protocol inside knows.
#define OPENSSL_SUPPRESS_DEPRECATED  // RAND_set_rand_method: a provider would be as long as this
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "tests/fake_kernel/random.hpp"
#include "tests/fake_kernel/script.hpp"
#include "tests/fake_kernel/tls_world.hpp"

// OpenSSL's clock, for the whole program: a certificate has its date in it, and the length of a
// signature depends on what is signed. A run of a seed is the same at any time.
extern "C" std::time_t time(std::time_t* told) noexcept {
  constexpr std::time_t always = 1'800'000'000;
  if (told != nullptr) *told = always;
  return always;
}

namespace lab::fake {

namespace {

Random& randomness() {
  static Random random(1);
  return random;
}

int random_bytes(unsigned char* into, int count) {
  for (int index = 0; index < count; ++index) {
    into[index] = static_cast<unsigned char>(randomness().next());
  }
  return 1;
}

SSL_CTX& client_context() {
  static SSL_CTX* const made = [] {
    SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    return context;
  }();
  return *made;
}

class TlsScript final : public Script {
 public:
  TlsScript(std::uint64_t key, std::shared_ptr<const Script> inner)
      : inner_(std::move(inner)), random_(key), ssl_(SSL_new(&client_context())) {
    if (random_.chance(400)) SSL_set_max_proto_version(ssl_.get(), TLS1_2_VERSION);
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    BIO_set_mem_eof_return(SSL_get_rbio(ssl_.get()), -1);
    SSL_set_connect_state(ssl_.get());
    read();
  }

  bool listens() const override { return true; }
  void begin(const Talk& talk) const override {
    talk_ = talk;
    talk_.bytes = std::min(talk_.bytes, inner_->says());
  }

  void say(std::uint64_t position, std::span<std::byte> into) const override {
    const std::size_t from = static_cast<std::size_t>(position - dropped_);
    std::transform(said_.begin() + static_cast<std::ptrdiff_t>(from),
                   said_.begin() + static_cast<std::ptrdiff_t>(from + into.size()), into.begin(),
                   [](char one) { return static_cast<std::byte>(one); });
    said_.erase(0, from + into.size());  // each byte is said once
    dropped_ = position + into.size();
  }

  // Notifications bring what was sent in any order.
  std::size_t agrees(std::uint64_t position, std::span<const std::byte> heard) const override {
    // The notification of a send that took nothing comes late, too, and is no gap.
    if (heard.empty()) return 0;
    heard_[position].assign(reinterpret_cast<const char*>(heard.data()), heard.size());
    for (auto next = heard_.begin(); next != heard_.end() && next->first == fed_;
         next = heard_.erase(next)) {
      BIO_write(SSL_get_rbio(ssl_.get()), next->second.data(),
                static_cast<int>(next->second.size()));
      fed_ += next->second.size();
      read();
    }
    return content() ? heard.size() : 0;
  }

  std::uint64_t due(std::uint64_t) const override { return 0; }
  std::uint64_t says() const override { return finished_ ? dropped_ + said_.size() : endless; }
  std::uint64_t ready(std::uint64_t sent) const override {
    constexpr std::uint64_t ahead = 32 << 10;
    while (connected() && !finished_ && !failed_ && dropped_ + said_.size() < sent + ahead) {
      if (talk_.one_by_one && answered_ < inner_->due(asked_)) break;
      if (asked_ < talk_.bytes) {
        ask();
      } else if (talk_.finishes) {
        SSL_shutdown(ssl_.get());
        collect();
        finished_ = true;
      } else {
        break;
      }
    }
    return dropped_ + said_.size();
  }
  bool ended(std::uint64_t position, bool all_due) const override {
    end_ = position;
    all_due_ = all_due;
    return content();
  }

 private:
  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  bool connected() const { return SSL_is_init_finished(ssl_.get()) == 1; }

  // A FIN comes behind close_notify, unless the handshake was not done; and whoever said that all
  // is said has heard all.
  bool content() const {
    if (failed_) return false;
    if (fed_ < end_) return true;  // the rest is on its way
    return !connected() ||
           (closed_ && (!all_due_ || !finished_ || answered_ == inner_->due(asked_)));
  }

  void ask() const {
    std::array<std::byte, 16384> text;
    const auto size = static_cast<std::size_t>(
        std::min<std::uint64_t>({talk_.bytes - asked_, talk_.message, text.size()}));
    inner_->say(asked_, std::span(text).first(size));
    if (SSL_version(ssl_.get()) == TLS1_3_VERSION && random_.chance(50)) {
      SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_REQUESTED);
    }
    if (SSL_write(ssl_.get(), text.data(), static_cast<int>(size)) != static_cast<int>(size)) {
      failed_ = true;
    }
    asked_ += size;
    collect();
  }

  void read() const {
    std::array<std::byte, 16384> text;
    std::size_t size = 0;
    while (SSL_read_ex(ssl_.get(), text.data(), text.size(), &size) == 1) {
      if (inner_->agrees(answered_, std::span(text).first(size)) < size) failed_ = true;
      answered_ += size;
      if (answered_ > inner_->due(asked_)) failed_ = true;
    }
    const int why = SSL_get_error(ssl_.get(), 0);
    if (why == SSL_ERROR_ZERO_RETURN) closed_ = true;
    if (why != SSL_ERROR_ZERO_RETURN && why != SSL_ERROR_WANT_READ) failed_ = true;
    ERR_clear_error();
    collect();
  }

  void collect() const {
    std::array<char, 16384> bytes;
    for (;;) {
      const int count = BIO_read(SSL_get_wbio(ssl_.get()), bytes.data(), bytes.size());
      if (count <= 0) return;
      if (!finished_) said_.append(bytes.data(), static_cast<std::size_t>(count));
    }
  }

  std::shared_ptr<const Script> inner_;
  mutable Random random_;
  std::unique_ptr<SSL, Free> ssl_;
  mutable Talk talk_{};
  mutable std::string said_;  ///< from dropped_ on
  mutable std::uint64_t dropped_ = 0;
  mutable std::map<std::uint64_t, std::string> heard_;  ///< and not fed yet, by position
  mutable std::uint64_t fed_ = 0;
  mutable std::uint64_t asked_ = 0;
  mutable std::uint64_t answered_ = 0;
  mutable std::uint64_t end_ = endless;
  mutable bool all_due_ = false;
  mutable bool finished_ = false;
  mutable bool closed_ = false;
  mutable bool failed_ = false;
};

}  // namespace

std::shared_ptr<const Script> make_tls_script(std::uint64_t key,
                                              std::shared_ptr<const Script> inner) {
  return std::make_shared<TlsScript>(key, std::move(inner));
}

void plant_randomness(std::uint64_t seed) {
  static const RAND_METHOD method = {.seed = nullptr,
                                     .bytes = &random_bytes,
                                     .cleanup = nullptr,
                                     .add = nullptr,
                                     .pseudorand = &random_bytes,
                                     .status = [] { return 1; }};
  RAND_set_rand_method(&method);
  randomness() = Random(seed);
}

std::shared_ptr<const TlsContext> tls_context() {
  static const auto made = [] {
    plant_randomness(1);  // the certificate's size is the same in each run, too
    TlsOptions options;
    options.self_signed = true;
    options.handshakes_max = 8;
    options.handshake_ms = 3000;
    options.plain_buffers = 2;
    return std::make_shared<const TlsContext>(options);
  }();
  return made;
}

}  // namespace lab::fake
