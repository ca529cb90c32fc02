// A folder of a test's own, and the site that it becomes.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "06-server/lib/site/generation.hpp"
#include "06-server/lib/site/site_options.hpp"

namespace lab {

/// Removed with all that is in it when it dies.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::string& path() const { return path_; }
  std::string path(std::string_view name) const { return path_ + "/" + std::string(name); }
  /// Directories on the way are made.
  void write(std::string_view name, std::string_view content) const;
  void link(std::string_view name, std::string_view target) const;
  void make_directory(std::string_view name) const;
  void remove(std::string_view name) const;
  void rename(std::string_view from, std::string_view to) const;
  void set_time(std::string_view name, std::int64_t seconds) const;
  /// A hole: a file of this size that takes no space.
  void make_sparse(std::string_view name, std::uint64_t size) const;

 private:
  std::string path_;
};

/// Text that compresses well.
std::string prose(std::size_t size);
/// Bytes that do not.
std::string noise(std::size_t size);
std::string packed(Coding coding, std::string_view plain);

class SiteTest : public testing::Test {
 protected:
  SiteTest() { options_.root = folder_.path(); }

  Generation& load();
  /// Of the last load(). What it would say instead of a site.
  std::string refusal();
  const std::vector<std::string>& notes() const { return notes_; }
  bool has_note(std::string_view part) const;

  Found find(std::string_view path) const { return site_->find(path); }
  const Resource* file(std::string_view path) const;
  /// The identity's bytes, "(missing)" where there is no such file.
  std::string content(std::string_view path) const;
  const Variant* variant(std::string_view path, Coding coding) const;
  std::string fields(std::string_view path, Coding coding = Coding::identity) const;
  /// The value of one line, or "(none)".
  std::string field(std::string_view path, std::string_view name,
                    Coding coding = Coding::identity) const;

  Folder folder_;
  SiteOptions options_;
  std::unique_ptr<Generation> site_;

 private:
  std::vector<std::string> notes_;
};

/// How often a field's name begins a line.
unsigned lines_named(std::string_view lines, std::string_view name);
std::string text_of(std::span<const std::byte> bytes);

}  // namespace lab
