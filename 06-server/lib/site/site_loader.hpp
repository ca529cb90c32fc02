// A file's content, into the memory of a generation or kept open, and what it is told by.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "06-server/lib/site/content_hash.hpp"
#include "06-server/lib/site/site_arena.hpp"
#include "06-server/lib/site/site_format.hpp"
#include "06-server/lib/site/site_walk.hpp"

namespace lab {

/// A body that can be sent.
struct LoadedBody {
  ContentHash hash;                    ///< of all of it
  std::uint64_t size = 0;              ///< bytes
  std::uint64_t offset = 0;            ///< in the arena
  std::uint32_t streamed = site_none;  ///< or its place among the streamed files
};

/// A file's body and what it was told by when it was read.
struct LoadedFile {
  LoadedBody body;       ///< in the arena, or streamed
  FileStamp stamp;       ///< as it was when it was read
  bool is_utf8 = false;  ///< all of it was looked at, and is
};

/// Any thread may load; equal contents lie in the arena once.
class SiteLoader {
 public:
  /// What is larger is streamed.
  SiteLoader(const SourceTree& tree, SiteArena& arena, std::uint64_t memory_limit_file,
             std::uint64_t streamed_files_max)
      : root_(tree.root.get()),
        arena_(arena),
        memory_limit_file_(memory_limit_file),
        streamed_files_max_(streamed_files_max) {}

  /// @return none when the file is gone
  /// @throws SiteError when it cannot be read, or changes all the time
  std::optional<LoadedFile> load(const SourceFile& file);
  /// A body that was made here.
  LoadedBody store(std::span<const std::byte> content);

  /// Of a streamed file. Not while others load.
  int fd_of(std::uint32_t streamed) const { return streamed_[streamed].get(); }
  /// The descriptors of all streamed files, in their order. To be called last.
  std::vector<Fd> take_streamed() { return std::move(streamed_); }
  /// Of the streamed files, in the same order.
  const std::vector<FileStamp>& stamps() const noexcept { return stamps_; }

 private:
  std::optional<LoadedFile> read_whole(int fd, const FileStamp& stamp, const SourceFile& file);
  std::optional<LoadedFile> read_pieces(int fd, const FileStamp& stamp, const SourceFile& file);
  std::uint32_t keep(Fd fd, const FileStamp& stamp);

  const int root_;
  SiteArena& arena_;
  const std::uint64_t memory_limit_file_;
  const std::uint64_t streamed_files_max_;
  std::mutex mutex_;                                                          // for what follows
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> offsets_;  // by hash
  std::vector<Fd> streamed_;
  std::vector<FileStamp> stamps_;
};

}  // namespace lab
