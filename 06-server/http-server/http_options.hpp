// What the HTTP server can be told beside what every server can.
#pragma once

#include "05-performance/bench/command_line.hpp"
#include "06-server/lib/protocol/http/http_shared.hpp"
#include "06-server/lib/site/site_options.hpp"

namespace lab {

struct HttpServerOptions {
  SiteOptions site;
  HttpOptions http;
};

/// Declares the folder and the options, in the groups Site and HTTP.
/// @param options hold the defaults; they live as long as the line
void add_http_options(CommandLine& line, HttpServerOptions& options);

}  // namespace lab
