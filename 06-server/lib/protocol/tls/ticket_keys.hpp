// The keys of session tickets, in memory that all worker processes share: any of them resumes a
// session that another began, and a reload keeps them.
//
// Lifetime: made before the fork, and there as long as a context uses it. Rule: a key is made of
// the one before it by a hash, so every worker comes to the same one by itself, without a lock, and
// whoever reads the memory later learns nothing of those that are gone.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <tuple>

namespace lab {

/// What a ticket is sealed with. It is secret.
struct TicketKey {
  std::array<unsigned char, 16> name;    ///< says in a ticket by which key it was made
  std::array<unsigned char, 32> cipher;  ///< encrypts
  std::array<unsigned char, 32> mac;     ///< proves that nothing was changed
};

/// The keys of all workers. Any number of processes may ask at once.
class TicketKeys {
 public:
  /// How long a key makes tickets; for as long again it still opens them.
  static constexpr std::uint64_t period_seconds = 6 * 3600;

  /// Random ones. @throws std::system_error without memory, TlsError without randomness
  /// @param now seconds; of any clock that workers and reloads have in common
  explicit TicketKeys(std::uint64_t now);
  ~TicketKeys();
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;

  /// The key that makes tickets at this time.
  TicketKey current(std::uint64_t now) noexcept;

  /// A key that is still valid.
  struct Found {
    TicketKey key;    ///< a copy
    bool is_current;  ///< false: it only opens tickets, and the client should get a new one
  };
  /// The key of this name, while it is valid.
  std::optional<Found> find(const unsigned char* name, std::uint64_t now) noexcept;

 private:
  using Secret = std::array<std::uint64_t, 4>;
  // The secret of the oldest period whose key is valid: those of later ones are hashes of it. And
  // what is asked for in each handshake, ready: the keys of this period and of the next one.
  struct Base {
    std::uint64_t period = 0;
    Secret secret{};
    std::array<TicketKey, 2> keys{};
  };
  // Word for word, so that it can be read while it is written.
  using Words = std::array<std::uint64_t, sizeof(Base) / sizeof(std::uint64_t)>;
  using Copy = std::array<std::atomic<std::uint64_t>, std::tuple_size_v<Words>>;
  // One copy counts, the other is where the next is written.
  struct Memory {
    std::array<Copy, 2> copies{};
    std::atomic<std::uint64_t> version{0};  ///< odd and even say which copy counts
    /// Ahead of version while a worker writes. One that dies there leaves the secret where it is:
    /// all keys are right nevertheless, only those that are gone could be told from it.
    std::atomic<std::uint64_t> claimed{0};
  };

  void write(Copy& copy, const Base& base) noexcept;
  Base load() const noexcept;
  static void make_keys(Base& base) noexcept;
  std::optional<TicketKey> key_of(std::uint64_t period) const noexcept;
  void forget_before(std::uint64_t period) noexcept;

  Memory* memory_;
};

}  // namespace lab
