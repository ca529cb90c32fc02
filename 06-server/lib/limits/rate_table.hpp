// One limit for each of very many clients, in memory that is there from the start: 16 bytes a
// client, and a check reads one cache line.
//
// Rule: a client's hash names its bucket of four places. Where all are taken the client with the
// oldest time makes room: most often its time is past, and nothing is lost. If it is not, it is
// counted, because that client may begin anew.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "06-server/lib/limits/rate_limit.hpp"

namespace lab {

/// Who a limit is for: the keyed hash of an address. Two addresses have the same one by chance
/// alone, once in 2^64 pairs.
enum class ClientId : std::uint64_t {};

/// One worker's: no lock, and no memory after the constructor. Times are nanoseconds of one clock.
class RateTable {
 public:
  static constexpr std::size_t entry_bytes = 16;        ///< memory of one client
  static constexpr std::uint32_t entries_a_bucket = 4;  ///< one cache line

  /// @param entries clients that are remembered, rounded up to whole buckets
  /// @param now_ns of the clock that the other functions are told
  RateTable(std::uint32_t entries, const RateLimit& limit, std::uint64_t now_ns)
      : limit_(limit),
        bucket_count_((entries + entries_a_bucket - 1) / entries_a_bucket),
        buckets_(std::make_unique<Bucket[]>(bucket_count_)) {
    clear(now_ns);
  }

  /// Forgets all clients, without counting them. Writes the whole table.
  void clear(std::uint64_t now_ns) noexcept {
    for (std::uint32_t i = 0; i < bucket_count_; ++i) {
      for (Entry& entry : buckets_[i].entries) entry = {ClientId{}, now_ns};
    }
  }

  /// Counts one of this client if it conforms.
  bool admit(ClientId client, std::uint64_t now_ns) noexcept {
    return limit_.admit(find(client, now_ns).due_ns, now_ns);
  }
  /// Counts one that has happened already.
  /// @return nanoseconds until the next one conforms
  std::uint64_t charge(ClientId client, std::uint64_t now_ns) noexcept {
    Entry& entry = find(client, now_ns);
    entry.due_ns = limit_.count(entry.due_ns, now_ns);
    return limit_.wait_ns(entry.due_ns, now_ns);
  }

  /// Clients that made room for others though their time was not past. Many of them: the table is
  /// too small for what comes, and limits less than it seems to.
  std::uint64_t forgotten() const noexcept { return forgotten_; }
  /// The bucket that a client is in, if it is there: for tests and the lesson.
  std::uint32_t bucket_of(ClientId client) const noexcept {
    const std::uint64_t high = static_cast<std::uint64_t>(client) >> 32;
    return static_cast<std::uint32_t>(high * bucket_count_ >> 32);
  }
  std::uint32_t buckets() const noexcept { return bucket_count_; }  ///< of entries_a_bucket each

 private:
  struct Entry {
    ClientId client{};
    std::uint64_t due_ns = 0;
  };
  struct alignas(64) Bucket {
    std::array<Entry, entries_a_bucket> entries;
  };
  static_assert(sizeof(Entry) == entry_bytes && sizeof(Bucket) == 64);

  Entry& find(ClientId client, std::uint64_t now_ns) noexcept {
    Bucket& bucket = buckets_[bucket_of(client)];
    Entry* oldest = &bucket.entries[0];
    for (Entry& entry : bucket.entries) {
      if (entry.client == client) return entry;
      if (static_cast<std::int64_t>(entry.due_ns - oldest->due_ns) < 0) oldest = &entry;
    }
    if (RateLimit::early_ns(oldest->due_ns, now_ns) > 0) ++forgotten_;
    *oldest = {client, now_ns};
    return *oldest;
  }

  RateLimit limit_;
  std::uint32_t bucket_count_;
  std::unique_ptr<Bucket[]> buckets_;
  std::uint64_t forgotten_ = 0;
};

}  // namespace lab
