// What the HTTP server can be told beside what every server can.
#pragma once

#include <string>
#include <vector>

#include "05-performance/bench/command_line.hpp"
#include "06-server/lib/protocol/http/http_shared.hpp"
#include "06-server/lib/site/site_options.hpp"

namespace lab {

struct HttpServerOptions {
  SiteOptions site;
  HttpOptions http;
  /// Each worker writes answers into them and reads streamed files into them. A piece of 64 KiB
  /// costs two thirds of the CPU of four of 16 KiB (README.md); 512 are 256 slow downloads at once.
  unsigned answer_buffers = 512;
  unsigned answer_buffer_bytes = 64 << 10;
  bool watch = false;                     ///< the folder is read anew when it changes
  std::vector<std::string> header_words;  ///< of --header, until take_words()
  std::vector<std::string> cache_words;   ///< of --cache-control
};

/// Declares the folder and the options, in the groups Site and HTTP.
/// @param options hold the defaults; they live as long as the line
void add_http_options(CommandLine& line, HttpServerOptions& options);

/// After the line was parsed: what one option alone cannot know. Ends the program with 2.
void check_http_options(const CommandLine& line, const HttpServerOptions& options);

/// After the line was parsed: what may be given several times goes to the site.
void take_words(HttpServerOptions& options);

}  // namespace lab
