// What an operator can say about a site, as plain data. site_rules.hpp reads it from text.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lab {

/// How much time the start may take for smaller answers.
enum class Effort : std::uint8_t {
  none,  ///< nothing is compressed; siblings that are compressed already are used all the same
  fast,  ///< gzip 6, brotli 5, zstd 3
  good,  ///< gzip 9, brotli 7 to 9, zstd 12
  best   ///< gzip 9, brotli 11, zstd 19: for sites that seldom change: brotli takes many times as
         ///< long
};

/// A header field of the operator's.
struct HeaderField {
  std::string name;   ///< as it is sent
  std::string value;  ///< without its line's end
};

/// Cache-Control for the files that match a pattern.
struct CacheRule {
  std::string pattern;  ///< with a slash: of the whole path, "/assets/*"; else of the name, "*.js"
  std::string value;    ///< of the field: "max-age=3600"
};

/// Where the site is, and how it is served. Each field is an option of the command line.
struct SiteOptions {
  std::string root;                  ///< looked up anew for each generation: it may be a symlink
  std::string index = "index.html";  ///< the file that stands for its directory
  /// /dir is answered with a redirect to /dir/. Else with the index itself, whose relative links
  /// then lead elsewhere.
  bool redirect_directories = true;
  std::string fallback_page;  ///< --spa, a path in the site; empty: none
  std::string missing_page;   ///< --404, a path in the site; empty: none
  /// Larger files are streamed from a descriptor each. At most 1 GiB.
  std::uint64_t memory_limit_file = std::uint64_t{1} << 20;
  /// For the whole site. 0: what the machine and the control group have left.
  std::uint64_t memory_limit = 0;
  /// Descriptors for streamed files. 0: three quarters of ulimit -Hn, at most 40,000.
  std::uint64_t streamed_files_max = 0;
  Effort effort = Effort::good;                ///< how long compressing may take
  unsigned threads = 0;                        ///< that compress. 0: one per allowed CPU
  std::vector<CacheRule> cache_rules;          ///< the first that matches counts
  std::vector<HeaderField> fields;             ///< for every answer, in this order
  std::string cors_origin;                     ///< "*", or an origin; empty: none
  std::string mime_types = "/etc/mime.types";  ///< a file of types by extension; see MimeTypes
};

}  // namespace lab
