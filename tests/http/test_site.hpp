// The site that the cases ask for: kept in memory for the protocol alone, or written as a folder
// for a server.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "02-files/lib/fd.hpp"
#include "06-server/lib/protocol/http/resource.hpp"
#include "06-server/lib/protocol/segment.hpp"

namespace lab::test {

/// When the files of the site were changed last: Thu, 02 Jan 2020 03:04:05 GMT.
inline constexpr std::int64_t site_modified_s = 1577934245;

/// A file of the site with its ready-made variants; the name is that of the path.
struct SiteFile {
  std::string_view path;
  std::string_view type;
  std::string content;
  std::string gzip;    ///< of its sibling .gz, or empty. It holds the content: a server looks
  std::string brotli;  ///< of .br
  bool in_the_future = false;
};

/// The files that cases name. `/big.bin` is above the limit of what is kept in memory.
const std::vector<SiteFile>& site_files();
/// `size` bytes in which each place can be told from its neighbours.
std::string pattern(std::size_t size);
/// Writes the folder, with the times of above. Throws std::filesystem::filesystem_error.
void write_site(const std::string& folder);

/// The same in memory, as a site would have it.
class TestSite {
 public:
  /// @param streamed all files are streamed, so that bodies come through on_file()
  explicit TestSite(bool streamed = false);
  TestSite(const TestSite&) = delete;
  TestSite& operator=(const TestSite&) = delete;

  Found find(std::string_view path) const noexcept;
  bool contains(const void* position) const noexcept;
  /// The contents of the streamed files, by descriptor.
  const std::map<int, std::string>& streams() const { return streams_; }

 private:
  struct Entry {
    std::vector<std::string> texts;
    std::vector<Variant> variants;
    Resource resource;
  };

  void add(const SiteFile& file, bool streamed);
  Variant variant(Entry& entry, const SiteFile& file, Coding coding, const std::string& content,
                  bool streamed);

  std::map<std::string, Entry, std::less<>> entries_;
  std::map<int, std::string> streams_;
  std::vector<Fd> stream_files_;  ///< of their sizes, so that an engine finds them unchanged
};

/// A site whose content can be exchanged, and which knows who still sends from the old one.
class TestSource {
 public:
  explicit TestSource(const TestSite& first);
  TestSource(const TestSource&) = delete;
  TestSource& operator=(const TestSource&) = delete;

  void replace(const TestSite& next) { generations_.push_back(std::make_unique<Generation>(next)); }
  /// Segments of the first site that are alive.
  unsigned first_in_use() const { return generations_.front()->in_use; }

  Found find(std::string_view path) const noexcept { return generations_.back()->site.find(path); }
  Segment pin() noexcept;
  Segment segment(std::span<const std::byte> bytes) noexcept;
  std::string_view common_fields() const noexcept { return common; }
  std::string_view preflight_fields() const noexcept { return preflight; }

  std::string common;
  std::string preflight;

 private:
  struct Generation : SegmentOwner {
    explicit Generation(const TestSite& what);
    ~Generation();
    const TestSite& site;
    unsigned in_use = 0;
  };

  std::vector<std::unique_ptr<Generation>> generations_;
};

}  // namespace lab::test
