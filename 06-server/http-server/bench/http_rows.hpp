// What is asked of each web server, and the folder that they all serve.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace lab {

/// Bounds against the best peer of the same round; the gain depends on what a system call costs, so
/// they do, too.
struct HttpTarget {
  std::optional<double> rate_min;  ///< requests/s, or bytes/s, which is the same
  std::optional<double> cpu_max;   ///< CPU per request
};

/// One load.
struct HttpRow {
  std::string name;
  std::string text;
  std::vector<std::string> paths;
  std::vector<std::string> options = {};  ///< for ringload
  std::vector<std::string> headers = {};
  bool spin = true;           ///< the client never sleeps
  bool one_core = false;      ///< the client shares the server's core: what both cost decides
  std::size_t echo_size = 0;  ///< the same load for an echo; 0: there is none
  HttpTarget target = {};     ///< one of both is enough
};

/// @param system_call_ns what a system call costs here
std::vector<HttpRow> http_rows(double system_call_ns);

/// Makes the folder: a page of 1 KiB, files of 64 KiB and 1 MiB that no coding makes smaller, and
/// 20 of text with .gz and .br beside them.
/// @throws std::runtime_error, std::filesystem::filesystem_error
void make_http_site(const std::filesystem::path& folder);

}  // namespace lab
