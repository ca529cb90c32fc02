#include "06-server/lib/site/site_loader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <thread>

#include "06-server/lib/site/site_error.hpp"
#include "06-server/lib/site/site_text.hpp"

namespace lab {

namespace {

constexpr unsigned tries_max = 3;
// Reading a larger one only for its ETag would make the start slow; its stamp tells it then, which
// differs from host to host.
constexpr std::uint64_t hashed_size_max = std::uint64_t{64} << 20;
constexpr std::size_t piece_size = std::size_t{256} << 10;

ContentHash stamp_hash(const FileStamp& stamp) {
  static_assert(sizeof stamp == 32, "no padding, whose bytes would be any");
  return content_hash(std::as_bytes(std::span(&stamp, 1)));
}

#ifdef CLOCK_REALTIME_COARSE
constexpr clockid_t clock_of_files = CLOCK_REALTIME_COARSE;
#else
constexpr clockid_t clock_of_files = CLOCK_REALTIME;
#endif

// Files have their times from a clock that moves every 4 ms or so, and a change that comes within
// one step of it after the last leaves the time as it was. From the next step on, each is seen.
void let_clock_pass(std::int64_t modified_ns) {
  constexpr std::int64_t step_max_ns = 20'000'000;
  for (;;) {
    timespec now{};
    clock_gettime(clock_of_files, &now);
    const std::int64_t since_ns = now.tv_sec * 1'000'000'000 + now.tv_nsec - modified_ns;
    if (since_ns > 0 || since_ns < -step_max_ns) return;  // a time to come says nothing
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

[[noreturn]] void refuse_changing(const SourceFile& file) {
  throw SiteError(fmt::format(
      "'{}' changes while it is read. Cure: write a file under another name and rename it, or "
      "copy the new site beside the old one and rename that",
      shown(file.path)));
}

}  // namespace

std::optional<LoadedFile> SiteLoader::load(const SourceFile& file) {
  for (unsigned tries = 0; tries < tries_max; ++tries) {
    Fd fd = open_in_site(root_, file.real);
    struct stat status {};
    if (!fd || fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
    const FileStamp stamp = stamp_of(status);
    const bool streams = stamp.size > memory_limit_file_;
    if (streams) let_clock_pass(stamp.modified_ns);
    std::optional<LoadedFile> loaded =
        streams ? read_pieces(fd.get(), stamp, file) : read_whole(fd.get(), stamp, file);
    if (!loaded) continue;
    if (streams) loaded->body.streamed = keep(std::move(fd), stamp);
    return loaded;
  }
  refuse_changing(file);
}

// Nothing when it changed meanwhile.
std::optional<LoadedFile> SiteLoader::read_whole(int fd, const FileStamp& stamp,
                                                 const SourceFile& file) {
  std::vector<std::byte> content(stamp.size);
  const std::size_t got = read_file(fd, 0, content, file.path);
  if (got != stamp.size || stamp_of(fd) != stamp) return {};
  Utf8Check utf8;
  utf8.feed(content);
  return LoadedFile{.body = store(content), .stamp = stamp, .is_utf8 = utf8.valid()};
}

std::optional<LoadedFile> SiteLoader::read_pieces(int fd, const FileStamp& stamp,
                                                  const SourceFile& file) {
  LoadedFile loaded{.body = {.hash = stamp_hash(stamp), .size = stamp.size}, .stamp = stamp};
  if (stamp.size > hashed_size_max) return loaded;
  ContentHasher hasher;
  Utf8Check utf8;
  std::vector<std::byte> room(piece_size);
  std::uint64_t offset = 0;
  for (;;) {
    const std::size_t got = read_file(fd, offset, room, file.path);
    if (got == 0) break;
    const std::span<const std::byte> piece = std::span(room).first(got);
    hasher.feed(piece);
    utf8.feed(piece);
    offset += got;
  }
  if (offset != stamp.size || stamp_of(fd) != stamp) return {};
  loaded.body.hash = hasher.hash();
  loaded.is_utf8 = utf8.valid();
  return loaded;
}

LoadedBody SiteLoader::store(std::span<const std::byte> content) {
  LoadedBody body{.hash = content_hash(content), .size = content.size()};
  const std::pair key{body.hash.high, body.hash.low};
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = offsets_.find(key); found != offsets_.end()) {
      body.offset = found->second;
      return body;
    }
  }
  // Two threads with one content at a time: it lies there twice, which harms nobody.
  body.offset = arena_.append(content);
  const std::lock_guard lock(mutex_);
  offsets_.emplace(key, body.offset);
  return body;
}

std::uint32_t SiteLoader::keep(Fd fd, const FileStamp& stamp) {
  const std::lock_guard lock(mutex_);
  if (streamed_.size() >= streamed_files_max_) {
    throw SiteError(fmt::format(
        "more than {} files are larger than --memory-limit-file, and each takes a descriptor. "
        "Cure: raise ulimit -n, or a larger --memory-limit-file",
        streamed_files_max_));
  }
  streamed_.push_back(std::move(fd));
  stamps_.push_back(stamp);
  return static_cast<std::uint32_t>(streamed_.size() - 1);
}

}  // namespace lab
