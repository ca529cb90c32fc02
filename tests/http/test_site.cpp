#include "tests/http/test_site.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "06-server/lib/protocol/http/http_date.hpp"
#include "tests/protocol/test_io.hpp"

namespace lab::test {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t future_s = 4102444800;  // 2100
constexpr std::string_view index_name = "index.html";

// The index as gzip -9 and brotli -q 11 have it. Written down, since a compressor's next version
// may make something else of it.
constexpr std::string_view index_gzip =
    "1f8b0800000000000203b3514cc94f2ea92c4855c828c9cdb133c8c82f4bce2aac48cd29ae4acf2b4dca2c28"
    "4fc92eaa4ccb2d49244ac6cc84743dc83286461614b9c0d0d2288f121718999ae1d60300aaf06ca12c010000";
constexpr std::string_view index_brotli =
    "622500bf0cce8b75608bf46fd88003e084964168587460ba3148a18b44249e83386e93d7ebeaf1877ee9341f"
    "5bf6e7dba92423dd761089cba044dd42949d0a";

std::string from_hex(std::string_view digits) {
  std::string bytes;
  for (std::size_t at = 0; at < digits.size(); at += 2)
    bytes += static_cast<char>(std::stoi(std::string(digits.substr(at, 2)), nullptr, 16));
  return bytes;
}

std::string date_text(std::int64_t seconds) {
  std::array<char, http_date_size> text{};
  write_http_date(text, seconds);
  return {text.data(), text.size()};
}

void write_file(const fs::path& path, const std::string& content, std::int64_t modified_s) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
  const std::array<timespec, 2> times = {timespec{.tv_sec = modified_s},
                                         timespec{.tv_sec = modified_s}};
  if (utimensat(AT_FDCWD, path.c_str(), times.data(), 0) != 0)
    throw fs::filesystem_error("cannot set the time", path,
                               std::error_code(errno, std::system_category()));
}

std::string relative_name(std::string_view path) {
  std::string name(path.substr(1));
  return name.empty() || name.ends_with('/') ? name + std::string(index_name) : name;
}

}  // namespace

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 26 * 7 % 26);
  for (std::size_t i = 0; i + 8 < size; i += 64) {
    const std::string place = std::to_string(i);
    text.replace(i, place.size(), place);
  }
  return text;
}

const std::vector<SiteFile>& site_files() {
  static const std::vector<SiteFile> files = {
      {"/", "text/html", "<!doctype html>" + pattern(285), from_hex(index_gzip),
       from_hex(index_brotli)},
      {"/f.bin", "application/octet-stream", pattern(1000)},
      {"/empty.bin", "application/octet-stream", ""},
      {"/dir/", "text/html", "<p>dir" + pattern(40)},
      {"/future.bin", "application/octet-stream", pattern(10), "", "", true},
      {"/a%b \\c.bin", "application/octet-stream", pattern(7)},
      {"/large.bin", "application/octet-stream", pattern(200'000)},
      {"/big.bin", "application/octet-stream", pattern(3 << 20)},
  };
  return files;
}

void write_site(const std::string& folder) {
  for (const SiteFile& file : site_files()) {
    const fs::path path = fs::path(folder) / relative_name(file.path);
    const std::int64_t modified_s = file.in_the_future ? future_s : site_modified_s;
    write_file(path, file.content, modified_s);
    if (!file.gzip.empty()) write_file(path.string() + ".gz", file.gzip, modified_s);
    if (!file.brotli.empty()) write_file(path.string() + ".br", file.brotli, modified_s);
  }
}

TestSite::TestSite(bool streamed) {
  for (const SiteFile& file : site_files()) add(file, streamed || file.content.size() > 1 << 20);
}

Found TestSite::find(std::string_view path) const noexcept {
  if (path == "/dir") return {.kind = Found::Kind::redirect, .location = "/dir/"};
  const auto found = entries_.find(path);
  if (found == entries_.end()) {
    const bool page = path.find('.') == std::string_view::npos && path.starts_with("/app/");
    return {.fallback = page ? &entries_.find("/")->second.resource : nullptr};
  }
  return {.kind = Found::Kind::file, .resource = &found->second.resource};
}

void TestSite::add(const SiteFile& file, bool streamed) {
  Entry& entry = entries_[std::string(file.path)];
  entry.texts.reserve(16);  // views into them stay
  entry.resource.negotiable = !file.gzip.empty() || !file.brotli.empty();
  entry.resource.modified_s =
      file.in_the_future ? static_cast<std::int64_t>(std::time(nullptr)) : site_modified_s;
  entry.variants.push_back(variant(entry, file, Coding::identity, file.content, streamed));
  if (!file.gzip.empty())
    entry.variants.push_back(variant(entry, file, Coding::gzip, file.gzip, streamed));
  if (!file.brotli.empty())
    entry.variants.push_back(variant(entry, file, Coding::brotli, file.brotli, streamed));
  entry.resource.variants = entry.variants;
}

Variant TestSite::variant(Entry& entry, const SiteFile& file, Coding coding,
                          const std::string& content, bool streamed) {
  static constexpr std::array<std::string_view, 4> names = {"identity", "gzip", "br", "zstd"};
  const std::string_view name = names[static_cast<std::size_t>(coding)];
  const auto keep = [&](std::string text) -> std::string_view {
    return entry.texts.emplace_back(std::move(text));
  };
  Variant made;
  made.coding = coding;
  made.size = content.size();
  if (streamed) {
    const Fd& stream = stream_files_.emplace_back(memfd_create("stream", MFD_CLOEXEC));
    struct stat now {};
    if (ftruncate(stream.get(), static_cast<off_t>(content.size())) != 0 ||
        fstat(stream.get(), &now) != 0) {
      throw std::system_error(errno, std::system_category(), "memfd");
    }
    made.modified_ns = now.st_mtim.tv_sec * 1'000'000'000 + now.st_mtim.tv_nsec;
    made.fd = stream.get();
    streams_[made.fd] = content;
  } else {
    made.body = bytes_of(keep(content));
  }
  made.etag = keep('"' + std::to_string(std::hash<std::string>()(content) % 1000000) + '-' +
                   std::string(name) + '"');
  std::string shared = "ETag: " + std::string(made.etag) +
                       "\r\nLast-Modified: " + date_text(entry.resource.modified_s) +
                       "\r\nCache-Control: no-cache\r\n";
  if (entry.resource.negotiable) shared += "Vary: Accept-Encoding\r\n";
  made.fields_304 = keep(shared);
  if (coding != Coding::identity) shared += "Content-Encoding: " + std::string(name) + "\r\n";
  made.fields = keep(shared + "Content-Type: " + std::string(file.type) + "\r\n");
  return made;
}

bool TestSite::contains(const void* position) const noexcept {
  for (const auto& [path, entry] : entries_) {
    for (const std::string& text : entry.texts) {
      const auto distance = static_cast<const char*>(position) - text.data();
      if (distance >= 0 && distance < static_cast<std::ptrdiff_t>(text.size())) return true;
    }
  }
  return false;
}

TestSource::Generation::Generation(const TestSite& what)
    : SegmentOwner(
          SegmentKind::stable,
          [](SegmentOwner& self, std::uint32_t) noexcept {
            ++static_cast<Generation&>(self).in_use;
          },
          [](SegmentOwner& self, std::uint32_t) noexcept {
            --static_cast<Generation&>(self).in_use;
          }),
      site(what) {}
TestSource::Generation::~Generation() { EXPECT_EQ(in_use, 0U); }

TestSource::TestSource(const TestSite& first) { replace(first); }

Segment TestSource::pin() noexcept {
  ++generations_.back()->in_use;
  return {*generations_.back(), 0, {}};
}

Segment TestSource::segment(std::span<const std::byte> bytes) noexcept {
  for (const auto& generation : generations_) {
    if (!generation->site.contains(bytes.data())) continue;
    EXPECT_GT(generation->in_use, 0U) << "nobody keeps it alive";
    ++generation->in_use;
    return {*generation, 0, bytes};
  }
  ADD_FAILURE() << "bytes of no generation";
  return {};
}

}  // namespace lab::test
