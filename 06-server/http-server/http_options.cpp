#include "06-server/http-server/http_options.hpp"

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "06-server/lib/site/site_error.hpp"
#include "06-server/lib/site/site_rules.hpp"

namespace lab {

namespace {

// The rules say themselves what is wrong with a word, and so does the command line whose it is.
template <class Rule>
std::string complaint_of(std::string_view option, const Rule& rule, const std::string& word) {
  try {
    rule(word);
    return {};
  } catch (const SiteError& error) {
    std::string_view text = error.what();
    const std::string prefix = std::string(option) + ": ";
    if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
    return std::string(text);
  }
}

std::string check_header(const std::string& word) {
  return complaint_of("--header", &header_field, word);
}
std::string check_cache_rule(const std::string& word) {
  return complaint_of("--cache-control", &cache_rule, word);
}
std::string check_origin(const std::string& word) {
  return complaint_of("--cors", &cors_origin, word);
}

void add_site_options(CommandLine& line, HttpServerOptions& options) {
  SiteOptions& site = options.site;
  const std::string group = "Site";
  line.add_option("DIR", site.root,
                  "The folder to serve; it is read at the start, and anew on SIGHUP")
      .check(not_empty())
      .required();
  line.add_flag("--watch", options.watch,
                "Read it anew when something in it changes, too (inotify), as soon as the changes "
                "pause. Changes that other machines make on a shared disk are not seen")
      .group(group);
  line.add_option("--index", site.index, "The file that stands for its folder")
      .check(not_empty())
      .capture_default_str()
      .group(group);
  line.add_flag_callback(
          "--no-redirect", [&site] { site.redirect_directories = false; },
          "/dir is answered with the index itself, not with a redirect to /dir/")
      .group(group);
  line.add_option(
          "--spa", site.fallback_page,
          "A page of the site that answers unknown paths with 200 where a page is asked for "
          "(Accept: text/html), as applications in one page want it; not paths with an "
          "extension: a missing app.js stays 404")
      .type_name("PATH")
      .check(not_empty())
      .group(group);
  line.add_option("--404", site.missing_page, "A page of the site that is the body of a 404")
      .type_name("PATH")
      .check(not_empty())
      .group(group);
  line.add_option("--memory-limit-file", site.memory_limit_file,
                  "Larger files are not kept in memory but streamed")
      .type_name("BYTES")
      .check(in_range<std::uint64_t>(0, std::uint64_t{1} << 30))
      .take_unit()
      .capture_default_str()
      .group(group);
  line.add_choice("--compress", site.effort,
                  {{"none", Effort::none},
                   {"fast", Effort::fast},
                   {"good", Effort::good},
                   {"best", Effort::best}},
                  "How hard to try at the start: gzip, brotli and zstd of each file where they are "
                  "smaller. Files beside it, .gz, .br and .zst, are used as they are")
      .default_str("good")
      .group(group);
  line.add_option(
          "--cache-control", options.cache_words,
          "PATTERN=VALUE: '*.js=public, max-age=31536000, immutable'. The first that matches "
          "counts; may be given again")
      .type_name("RULE")
      .check(&check_cache_rule)
      .allow_extra_args(false)
      .group(group);
  line.add_option("--header", options.header_words,
                  "'NAME: VALUE' on every answer; may be given again")
      .type_name("FIELD")
      .check(&check_header)
      .allow_extra_args(false)
      .group(group);
  line.add_option_function(
          "--cors", [&site](const std::string& word) { site.cors_origin = cors_origin(word); },
          "Other sites' pages may read the answers: * or scheme://host[:port]")
      .type_name("ORIGIN")
      .check(&check_origin)
      .group(group);
}

void add_request_limits(CommandLine& line, HeadLimits& limits) {
  const std::string group = "HTTP";
  line.add_option("--target-bytes-max", limits.target_bytes,
                  "Bytes of a request's target (path and query); a longer one gets 414")
      .type_name("BYTES")
      .check(in_range(16U, 1U << 20))
      .take_unit()
      .capture_default_str()
      .group(group);
  line.add_option(
          "--header-bytes-max", limits.bytes,
          "Bytes of a request's head, from its first line to the empty one; more get 431. A "
          "request line that alone is longer gets 414")
      .type_name("BYTES")
      .check(in_range(256U, 1U << 20))
      .take_unit()
      .capture_default_str()
      .group(group);
  line.add_option("--header-count-max", limits.fields, "Header lines of a request; more get 431")
      .check(in_range(1U, 100'000U))
      .capture_default_str()
      .group(group);
  line.add_option("--body-bytes-max", limits.body_bytes,
                  "Bytes of a request's body, which is read past; more get 413, and 0 refuses "
                  "every body")
      .type_name("BYTES")
      .check(in_range<std::uint64_t>(0, std::uint64_t{1} << 40))
      .take_unit()
      .capture_default_str()
      .group(group);
}

void add_connection_limits(CommandLine& line, HttpOptions& http) {
  const std::string group = "HTTP";
  line.add_option("--request-timeout", http.request_ms,
                  "ms from a request's first byte to its last; then 408. A connection without a "
                  "request is closed after --idle-timeout-ms")
      .check(in_range(1000U, 3'600'000U))
      .capture_default_str()
      .group(group);
  line.add_option("--requests-per-connection", http.requests_max,
                  "Requests that a connection may make; 0: no limit. The last answer says that it "
                  "is the last (Connection: close)")
      .check(in_range(0U, 1'000'000'000U))
      .capture_default_str()
      .group(group);
  line.add_option("--connection-age-max-ms", http.age_ms,
                  "A connection that is older ends with the answer under way, or at once where "
                  "there is none; 0: no limit. So clients behind a balancer spread anew")
      .check(in_range(0U, 604'800'000U))
      .capture_default_str()
      .group(group);
}

void add_answer_buffers(CommandLine& line, HttpServerOptions& options) {
  const std::string group = "HTTP";
  line.add_option("--answer-buffer-count", options.answer_buffers,
                  "Buffers of each worker that answers are written into and streamed files are "
                  "read into. A download that is not read holds two")
      .check(in_range(16U, 32768U))
      .capture_default_str()
      .group(group);
  line.add_option("--answer-buffer-size", options.answer_buffer_bytes,
                  "Bytes of each; a multiple of 8. So much of a streamed file is read at a time, "
                  "and larger pieces cost less CPU")
      .type_name("BYTES")
      .check(in_range(4096U, 65536U))  // as a receive buffer: a socket with room takes all of it
      .take_unit()
      .capture_default_str()
      .group(group);
}

}  // namespace

void add_http_options(CommandLine& line, HttpServerOptions& options) {
  add_site_options(line, options);
  add_request_limits(line, options.http.limits);
  add_connection_limits(line, options.http);
  add_answer_buffers(line, options);
}

void check_http_options(const CommandLine& line, const HttpServerOptions& options) {
  if (options.answer_buffer_bytes % 8 != 0) {
    line.refuse("--answer-buffer-size",
                fmt::format("{} is not a multiple of 8", options.answer_buffer_bytes));
  }
  const HeadLimits& limits = options.http.limits;
  // The default gives way: it is no wish.
  if (line.count("--target-bytes-max") > 0 && limits.target_bytes > limits.bytes) {
    line.refuse("--target-bytes-max", fmt::format("{} is more than --header-bytes-max, {}. Cure: "
                                                  "raise that too, for the target is in the head",
                                                  limits.target_bytes, limits.bytes));
  }
}

void take_words(HttpServerOptions& options) {
  for (const std::string& word : options.header_words)
    options.site.fields.push_back(header_field(word));
  for (const std::string& word : options.cache_words)
    options.site.cache_rules.push_back(cache_rule(word));
}

}  // namespace lab
