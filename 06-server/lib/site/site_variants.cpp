#include "06-server/lib/site/site_variants.hpp"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "06-server/lib/site/compression.hpp"
#include "06-server/lib/site/site_error.hpp"
#include "06-server/lib/site/site_text.hpp"

namespace lab {

namespace {

constexpr Coding codings[] = {Coding::gzip, Coding::brotli, Coding::zstd};

// A file that is streamed may have variants in memory: scripts of some MiB are what compresses
// best. Beyond it, a thread's buffers and time are too dear.
constexpr std::uint64_t packed_source_max = std::uint64_t{16} << 20;

// What a coded answer has more than a plain one.
std::size_t lines_of(Coding coding) {
  return std::string_view("Content-Encoding: \r\nVary: Accept-Encoding\r\n").size() +
         coding_name(coding).size();
}

}  // namespace

SiteVariants::SiteVariants(SiteLoader& loader, const SiteArena& arena, const SiteOptions& options,
                           const Generation* before)
    : loader_(loader), options_(options), before_(before), size_(arena.size()) {
  void* memory = mmap(nullptr, size_, PROT_READ, MAP_SHARED, arena.fd(), 0);
  if (memory == MAP_FAILED) {
    throw std::system_error(errno, std::generic_category(), "mmap (memory of the site)");
  }
  memory_ = static_cast<const std::byte*>(memory);
}

SiteVariants::~SiteVariants() { munmap(const_cast<std::byte*>(memory_), size_); }

std::vector<PlannedVariant> SiteVariants::of(const VariantSource& source,
                                             std::vector<std::string>& notes) const {
  const LoadedBody& body = source.loaded->body;
  std::vector<PlannedVariant> variants{{Coding::identity, body}};
  const bool streamed = body.streamed != site_none;
  std::vector<std::byte> copy;
  std::span<const std::byte> plain;
  if (!streamed) {
    plain = bytes_of(body);
  } else if (source.is_compressible && body.size <= packed_source_max &&
             options_.effort != Effort::none) {
    copy.resize(body.size);
    const std::size_t got = read_file(loader_.fd_of(body.streamed), 0, copy, source.file->path);
    if (got != body.size || content_hash(copy) != body.hash) {
      throw SiteError(
          fmt::format("'{}' changes while it is read. Cure: write it under another "
                      "name and rename it",
                      shown(source.file->path)));
    }
    plain = copy;
  }
  for (const Coding coding : codings) {
    const LoadedFile* sibling = source.siblings[static_cast<std::size_t>(coding)];
    if (sibling == nullptr) continue;
    if (takes_sibling(source, coding, plain)) {
      variants.push_back({coding, sibling->body});
    } else {
      notes.push_back(
          fmt::format("'{}' does not hold what '{}' holds: not used for it",
                      shown(source.sibling_files[static_cast<std::size_t>(coding)]->path),
                      shown(source.file->path)));
    }
  }
  if (source.is_compressible && options_.effort != Effort::none && !plain.empty()) {
    compress_all(source, plain, variants);
  }
  std::sort(variants.begin() + 1, variants.end(), [](const auto& a, const auto& b) {
    return a.body.size != b.body.size ? a.body.size < b.body.size : a.coding < b.coding;
  });
  return variants;
}

// Where both are in memory the content decides: a date does not, after a copy or a checkout.
bool SiteVariants::takes_sibling(const VariantSource& source, Coding coding,
                                 std::span<const std::byte> plain) const {
  const LoadedFile& sibling = *source.siblings[static_cast<std::size_t>(coding)];
  if (!plain.empty() && sibling.body.streamed == site_none) {
    return holds(coding, bytes_of(sibling.body), plain);
  }
  return sibling.stamp.modified_ns >= source.loaded->stamp.modified_ns;
}

void SiteVariants::compress_all(const VariantSource& source, std::span<const std::byte> plain,
                                std::vector<PlannedVariant>& variants) const {
  for (const Coding coding : codings) {
    const bool is_there = std::any_of(variants.begin(), variants.end(),
                                      [&](const auto& one) { return one.coding == coding; });
    const std::size_t lines = lines_of(coding);
    if (is_there || plain.size() <= lines) continue;
    const Variant* before = made_before(source, coding);
    if (before != nullptr) {
      variants.push_back({coding, loader_.store(before->body)});
      continue;
    }
    // A streamed file's variant is in memory, so it has to be as small as what else is there.
    std::size_t size_max = plain.size() - lines;
    if (source.loaded->body.streamed != site_none) {
      size_max = std::min<std::size_t>(size_max, options_.memory_limit_file);
    }
    const std::vector<std::byte> packed = compressed(coding, plain, options_.effort, size_max);
    if (!packed.empty()) variants.push_back({coding, loader_.store(packed)});
  }
}

// The variant that the generation before made of the same content.
const Variant* SiteVariants::made_before(const VariantSource& source, Coding coding) const {
  if (before_ == nullptr) return nullptr;
  const Found found = before_->find(source.file->path);
  if (found.kind != Found::Kind::file) return nullptr;
  const auto& variants = found.resource->variants;
  if (variants.front().etag != etag_of(source.loaded->body.hash)) return nullptr;
  const auto same = std::find_if(variants.begin(), variants.end(), [&](const Variant& variant) {
    return variant.coding == coding && variant.fd == -1;
  });
  return same == variants.end() ? nullptr : &*same;
}

std::span<const std::byte> SiteVariants::bytes_of(const LoadedBody& body) const {
  return {memory_ + body.offset, body.size};
}

}  // namespace lab
