#include "06-server/lib/protocol/tls/ticket_keys.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <new>
#include <string_view>
#include <system_error>

#include "01-core/lib/assert.hpp"
#include "06-server/lib/protocol/tls/tls_error.hpp"

namespace lab {

namespace {

// HMAC-SHA256(secret, purpose).
std::array<unsigned char, 32> derive(const void* secret, std::size_t size,
                                     std::string_view purpose) noexcept {
  std::array<unsigned char, 32> derived{};
  unsigned int derived_size = 0;
  const unsigned char* const made = HMAC(EVP_sha256(), secret, static_cast<int>(size),
                                         reinterpret_cast<const unsigned char*>(purpose.data()),
                                         purpose.size(), derived.data(), &derived_size);
  LAB_ASSERT(made != nullptr);
  LAB_ASSERT(derived_size == derived.size());
  return derived;
}

TicketKey keys_from(const void* secret, std::size_t size) noexcept {
  TicketKey key;
  const auto name = derive(secret, size, "ticket name");
  std::memcpy(key.name.data(), name.data(), key.name.size());
  key.cipher = derive(secret, size, "ticket cipher");
  key.mac = derive(secret, size, "ticket mac");
  return key;
}

// From 1 on: the one before it is a number, too.
std::uint64_t period_at(std::uint64_t now) noexcept { return now / TicketKeys::period_seconds + 1; }

void step_on(std::array<std::uint64_t, 4>& secret) noexcept {
  const auto next = derive(secret.data(), sizeof secret, "next period");
  std::memcpy(secret.data(), next.data(), sizeof secret);
}

}  // namespace

TicketKeys::TicketKeys(std::uint64_t now) {
  Base base{.period = period_at(now)};
  if (RAND_bytes(reinterpret_cast<unsigned char*>(base.secret.data()), sizeof base.secret) != 1) {
    throw TlsError("session tickets need random keys, and OpenSSL has none: " + take_tls_error());
  }
  make_keys(base);
  void* const memory =
      mmap(nullptr, sizeof(Memory), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    throw std::system_error(errno, std::generic_category(), "memory for ticket keys");
  }
#ifdef MADV_DONTDUMP
  madvise(memory, sizeof(Memory), MADV_DONTDUMP);  // keys do not belong into a core file
#endif
  memory_ = ::new (memory) Memory;
  write(memory_->copies[0], base);
  OPENSSL_cleanse(&base, sizeof base);
}

TicketKeys::~TicketKeys() { munmap(memory_, sizeof(Memory)); }

TicketKey TicketKeys::current(std::uint64_t now) noexcept {
  const std::uint64_t period = period_at(now);
  forget_before(period - 1);
  // A worker whose look at the clock is older than another's makes its ticket by the next key.
  for (;;) {
    if (const auto key = key_of(std::max(period, load().period))) return *key;
  }
}

std::optional<TicketKeys::Found> TicketKeys::find(const unsigned char* name,
                                                  std::uint64_t now) noexcept {
  const std::uint64_t period = period_at(now);
  forget_before(period - 1);
  for (const std::uint64_t one : {period, period - 1}) {
    const std::optional<TicketKey> key = key_of(one);
    if (key && CRYPTO_memcmp(key->name.data(), name, key->name.size()) == 0) {
      return Found{.key = *key, .is_current = one == period};
    }
  }
  return {};
}

void TicketKeys::write(Copy& copy, const Base& base) noexcept {
  const auto words = std::bit_cast<Words>(base);
  for (std::size_t word = 0; word < words.size(); ++word) {
    copy[word].store(words[word], std::memory_order_relaxed);
  }
}

TicketKeys::Base TicketKeys::load() const noexcept {
  for (;;) {
    const std::uint64_t version = memory_->version.load(std::memory_order_acquire);
    const Copy& copy = memory_->copies[version % 2];
    Words words;
    for (std::size_t word = 0; word < words.size(); ++word) {
      words[word] = copy[word].load(std::memory_order_relaxed);
    }
    std::atomic_thread_fence(std::memory_order_acquire);
    if (memory_->version.load(std::memory_order_relaxed) == version) {
      return std::bit_cast<Base>(words);
    }
  }
}

void TicketKeys::make_keys(Base& base) noexcept {
  Secret secret = base.secret;
  for (TicketKey& key : base.keys) {
    key = keys_from(secret.data(), sizeof secret);
    step_on(secret);
  }
  OPENSSL_cleanse(secret.data(), sizeof secret);
}

// None: its secret is forgotten, or there never was one.
std::optional<TicketKey> TicketKeys::key_of(std::uint64_t period) const noexcept {
  Base base = load();
  if (period < base.period) return {};
  if (period - base.period < base.keys.size()) return base.keys[period - base.period];
  for (; base.period < period; ++base.period) step_on(base.secret);
  const TicketKey key = keys_from(base.secret.data(), sizeof base.secret);
  OPENSSL_cleanse(&base, sizeof base);
  return key;
}

void TicketKeys::forget_before(std::uint64_t period) noexcept {
  std::uint64_t version = memory_->version.load(std::memory_order_acquire);
  Base base = load();
  if (period <= base.period) return;
  if (!memory_->claimed.compare_exchange_strong(version, version + 1)) return;  // another does it
  for (; base.period < period; ++base.period) step_on(base.secret);
  make_keys(base);
  write(memory_->copies[(version + 1) % 2], base);
  memory_->version.store(version + 1, std::memory_order_release);
  std::atomic_thread_fence(std::memory_order_release);  // whoever reads zeroes sees the version
  write(memory_->copies[version % 2], {});
  OPENSSL_cleanse(&base, sizeof base);
}

}  // namespace lab
