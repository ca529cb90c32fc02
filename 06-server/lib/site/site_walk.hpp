// Which files a folder has for its clients, and under which names.
//
// Decided here, once for a generation: names that begin with a dot are nobody's but .well-known;
// a symlink counts where its target is inside the folder, whatever the target is called
// (a Kubernetes volume keeps its files in "..data"); devices, sockets and pipes do not count.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "02-files/lib/fd.hpp"
#include "06-server/lib/site/site_file.hpp"

namespace lab {

/// A file that clients can have.
struct SourceFile {
  std::string path;  ///< as clients name it, decoded: "/a/b.html"
  std::string real;  ///< below the root, without symlinks: what is opened
  FileStamp stamp;   ///< as it was when the folder was walked
};

/// What a folder has for clients at one moment.
struct SourceTree {
  Fd root;                                    ///< the folder; files are opened below it
  std::string root_path;                      ///< without symlinks
  std::vector<SourceFile> files;              ///< by path
  std::vector<std::string> directories;       ///< as clients name them: "/", "/a/"
  std::vector<std::string> real_directories;  ///< below the root, in the same order
  std::vector<std::string> notes;             ///< what was left out though it may have been meant
};

/// @throws SiteError when the folder or one below it cannot be read
SourceTree walk_site(const std::string& root);

/// True for a segment of a path that is served: without a dot in front, or .well-known.
bool is_public(std::string_view segment);

}  // namespace lab
