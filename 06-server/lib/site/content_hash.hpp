// What a content is told by: 128 bits of XXH3, and the ETag made of them.
//
// Why xxhash: it is in every distribution, its XXH3 is stable since 0.8.0 and takes a site at the
// speed of memory. An ETag is compared with another of the same URL, all of them the operator's
// own content, so a cryptographic hash would protect from nobody.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace lab {

/// 128 bits of XXH3. Equal contents have the same; different ones have it with a chance that nobody
/// will see.
struct ContentHash {
  std::uint64_t high = 0;  ///< the upper half
  std::uint64_t low = 0;   ///< the lower half
  friend bool operator==(const ContentHash&, const ContentHash&) = default;
};

/// Of a content that is in memory.
ContentHash content_hash(std::span<const std::byte> content) noexcept;

/// The same for a content that comes in pieces.
class ContentHasher {
 public:
  /// @throws std::bad_alloc
  ContentHasher();
  /// The next piece. The hash is that of all pieces in a row, however they were cut.
  void feed(std::span<const std::byte> piece) noexcept;
  /// Of all that was fed.
  ContentHash hash() const noexcept;

 private:
  struct Free {
    void operator()(void* state) const noexcept;
  };
  std::unique_ptr<void, Free> state_;
};

/// Strong, quoted: 32 hexadecimal digits. RFC 9110, 8.8.3
std::string etag_of(const ContentHash& hash);

/// For the index: where a path stands.
std::uint64_t path_hash(std::string_view path) noexcept;

}  // namespace lab
