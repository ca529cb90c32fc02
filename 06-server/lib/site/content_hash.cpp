#include "06-server/lib/site/content_hash.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <new>

namespace lab {

ContentHash content_hash(std::span<const std::byte> content) noexcept {
  const XXH128_hash_t hash = XXH3_128bits(content.data(), content.size());
  return {.high = hash.high64, .low = hash.low64};
}

ContentHasher::ContentHasher() : state_(XXH3_createState()) {
  if (state_ == nullptr) throw std::bad_alloc();
  XXH3_128bits_reset(static_cast<XXH3_state_t*>(state_.get()));
}

void ContentHasher::feed(std::span<const std::byte> piece) noexcept {
  XXH3_128bits_update(static_cast<XXH3_state_t*>(state_.get()), piece.data(), piece.size());
}

ContentHash ContentHasher::hash() const noexcept {
  const XXH128_hash_t hash = XXH3_128bits_digest(static_cast<XXH3_state_t*>(state_.get()));
  return {.high = hash.high64, .low = hash.low64};
}

void ContentHasher::Free::operator()(void* state) const noexcept {
  XXH3_freeState(static_cast<XXH3_state_t*>(state));
}

std::string etag_of(const ContentHash& hash) {
  return fmt::format("\"{:016x}{:016x}\"", hash.high, hash.low);
}

std::uint64_t path_hash(std::string_view path) noexcept {
  return XXH3_64bits(path.data(), path.size());
}

}  // namespace lab
