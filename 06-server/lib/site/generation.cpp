#include "06-server/lib/site/generation.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "01-core/lib/assert.hpp"
#include "01-core/lib/check.hpp"
#include "06-server/lib/site/content_hash.hpp"
#include "06-server/lib/site/site_error.hpp"

namespace lab {

namespace {

// A page fault would stop the loop; not every system makes them all beforehand.
#ifdef MAP_POPULATE
constexpr int populated = MAP_POPULATE;
#else
constexpr int populated = 0;
#endif

}  // namespace

Generation::Generation(SiteFiles files)
    : SegmentOwner(SegmentKind::stable, &add_segment, &drop_segment), files_(std::move(files)) {
  struct stat status {};
  check_errno(fstat(files_.memory.get(), &status), "fstat (site)");
  size_ = static_cast<std::uint64_t>(status.st_size);
  if (size_ < site_header_size) throw SiteError("this memory holds no site");
  void* memory = mmap(nullptr, size_, PROT_READ, MAP_SHARED | populated, files_.memory.get(), 0);
  if (memory == MAP_FAILED) {
    throw std::system_error(errno, std::generic_category(), "mmap (memory of the site)");
  }
  memory_ = static_cast<const std::byte*>(memory);
  try {
    check_header();
    make_tables();
  } catch (...) {
    munmap(memory, size_);
    throw;
  }
}

Generation::~Generation() {
  LAB_ASSERT(at_rest());
  munmap(const_cast<std::byte*>(memory_), size_);
}

// --- answers ---

Found Generation::find(std::string_view decoded_path) const noexcept {
  if (const RouteRecord* found = route(decoded_path)) {
    if (found->resource != site_none) {
      return {.kind = Found::Kind::file, .resource = resource(found->resource)};
    }
    if (found->location.size != 0) {
      return {.kind = Found::Kind::redirect, .location = text(found->location)};
    }
  }
  return {.kind = Found::Kind::missing,
          .resource = resource(header().missing_page),
          .fallback = falls_back(decoded_path) ? resource(header().fallback_page) : nullptr};
}

std::string_view Generation::example_path() const noexcept {
  if (find("/").kind == Found::Kind::file) return "/";
  std::string_view best;
  for (const RouteRecord& record : routes_) {
    if (record.path.size == 0 || record.resource == site_none) continue;
    const std::string_view path = text(record.path);
    const bool shorter = path.size() < best.size() || (path.size() == best.size() && path < best);
    if (best.empty() || shorter) best = path;
  }
  return best;
}

// A route of the application in the browser, and no file that is missing: no extension, nothing
// that begins with a dot, and in no folder that holds no pages. "/assets/app.1234" answered with a
// page would be kept as a script for as long as the cache rules of scripts say.
bool Generation::falls_back(std::string_view path) const noexcept {
  if (header().fallback_page == site_none || path.empty()) return false;
  bool in_site = true;
  std::size_t begin = 1;
  for (;;) {
    const std::size_t slash = path.find('/', begin);
    const std::string_view segment = path.substr(begin, slash - begin);
    if (segment.starts_with('.')) return false;
    if (slash == std::string_view::npos) return segment.find('.') == std::string_view::npos;
    if (in_site) {
      const RouteRecord* folder = route(path.substr(0, slash + 1));
      if (folder != nullptr && folder->has_pages == 0) return false;
      in_site = folder != nullptr;
    }
    begin = slash + 1;
  }
}

const RouteRecord* Generation::route(std::string_view path) const noexcept {
  if (path.empty()) return nullptr;
  const std::uint64_t hash = path_hash(path);
  const std::size_t mask = routes_.size() - 1;
  for (std::size_t place = hash & mask;; place = (place + 1) & mask) {
    const RouteRecord& record = routes_[place];
    if (record.path.size == 0) return nullptr;
    if (record.hash == hash && text(record.path) == path) return &record;
  }
}

const Resource* Generation::resource(std::uint32_t index) const noexcept {
  return index == site_none ? nullptr : &resources_[index];
}

std::string_view Generation::common_fields() const noexcept { return text(header().common_fields); }

std::string_view Generation::preflight_fields() const noexcept {
  return text(header().preflight_fields);
}

// --- lifetime ---

Segment Generation::segment(std::span<const std::byte> bytes) noexcept {
  LAB_ASSERT(bytes.empty() || contains(bytes.data()));
  LAB_ASSERT(bytes.size() < std::size_t{1} << 31U);
  ++segments_;
  return Segment(*this, 0, bytes);
}

bool Generation::contains(const void* position) const noexcept {
  const auto* byte = static_cast<const std::byte*>(position);
  return byte >= memory_ && byte < memory_ + size_;
}

void Generation::add_segment(SegmentOwner& owner, std::uint32_t) noexcept {
  ++static_cast<Generation&>(owner).segments_;
}

void Generation::drop_segment(SegmentOwner& owner, std::uint32_t) noexcept {
  --static_cast<Generation&>(owner).segments_;
}

std::vector<int> Generation::descriptors() const {
  std::vector<int> all{files_.memory.get()};
  for (const Fd& fd : files_.streamed) all.push_back(fd.get());
  return all;
}

Generation::Writable::Writable(const Generation& generation) : generation_(generation) {
  check_errno(mprotect(const_cast<std::byte*>(generation.memory_), generation.size_,
                       PROT_READ | PROT_WRITE),
              "mprotect (memory of the site)");
}

Generation::Writable::~Writable() {
  mprotect(const_cast<std::byte*>(generation_.memory_), generation_.size_, PROT_READ);
}

// --- tables ---

const SiteHeader& Generation::header() const noexcept {
  return *reinterpret_cast<const SiteHeader*>(memory_);
}

template <class Record>
std::span<const Record> Generation::table(Stretch stretch) const noexcept {
  return {reinterpret_cast<const Record*>(memory_ + stretch.offset), stretch.size};
}

std::string_view Generation::text(Stretch stretch) const noexcept {
  return {reinterpret_cast<const char*>(memory_ + stretch.offset), stretch.size};
}

void Generation::check_header() const {
  if (header().magic != site_magic || header().size != size_) {
    throw SiteError("this memory holds no site, or one that was not finished");
  }
  if (header().streamed.size != files_.streamed.size()) {
    throw SiteError("the site's streamed files are not all there");
  }
}

void Generation::make_tables() {
  routes_ = table<RouteRecord>(header().routes);
  const auto stamps = table<FileStamp>(header().streamed);
  const auto variants = table<VariantRecord>(header().variants);
  variants_.reserve(variants.size());
  for (const VariantRecord& record : variants) {
    Variant variant{.coding = static_cast<Coding>(record.coding),
                    .size = record.body.size,
                    .etag = text(record.etag),
                    .fields = text(record.fields),
                    .fields_304 = text(record.fields_304)};
    if (record.streamed != site_none) {
      variant.fd = files_.streamed[record.streamed].get();
      variant.modified_ns = stamps[record.streamed].modified_ns;
    } else {
      variant.body = table<std::byte>(record.body);
    }
    variants_.push_back(variant);
  }
  const auto resources = table<ResourceRecord>(header().resources);
  resources_.reserve(resources.size());
  for (const ResourceRecord& record : resources) {
    resources_.push_back(
        {.variants = std::span(variants_).subspan(record.first_variant, record.variant_count),
         .modified_s = record.modified_s,
         .negotiable = record.negotiable != 0});
  }
}

}  // namespace lab
