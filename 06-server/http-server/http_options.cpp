#include "06-server/http-server/http_options.hpp"

#include <string>

#include "06-server/lib/site/site_error.hpp"
#include "06-server/lib/site/site_rules.hpp"

namespace lab {

namespace {

// The rules say themselves what is wrong with a word.
template <class Rule>
std::string complaint_of(const Rule& rule, const std::string& word) {
  try {
    rule(word);
    return {};
  } catch (const SiteError& error) {
    return error.what();
  }
}

std::string check_header(const std::string& word) { return complaint_of(&header_field, word); }
std::string check_cache_rule(const std::string& word) { return complaint_of(&cache_rule, word); }
std::string check_origin(const std::string& word) { return complaint_of(&cors_origin, word); }

void add_site_options(CommandLine& line, SiteOptions& site) {
  const std::string group = "Site";
  line.add_option("DIR", site.root, "The folder to serve; it is read once, at the start")
      .check(not_empty())
      .required();
  line.add_option("--index", site.index, "The file that stands for its folder")
      .check(not_empty())
      .capture_default_str()
      .group(group);
  line.add_flag("!--no-redirect", site.redirect_directories,
                "/dir is answered with the index itself, not with a redirect to /dir/")
      .group(group);
  line.add_option("--spa", site.fallback_page,
                  "A page of the site that answers unknown paths with 200, as applications in one "
                  "page want it; not paths with an extension: a missing app.js stays 404")
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
  line.add_option_function(
          "--cache-control",
          [&site](const std::string& word) { site.cache_rules.push_back(cache_rule(word)); },
          "PATTERN=VALUE: '*.js=public, max-age=31536000, immutable'. The first that matches "
          "counts; may be given again")
      .type_name("RULE")
      .check(&check_cache_rule)
      .allow_extra_args(false)
      .group(group);
  line.add_option_function(
          "--header",
          [&site](const std::string& word) { site.fields.push_back(header_field(word)); },
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

void add_protocol_options(CommandLine& line, HttpOptions& http) {
  const std::string group = "HTTP";
  line.add_option("--request-timeout", http.request_ms,
                  "ms from a request's first byte to its last; then 408")
      .check(in_range(1000U, 3'600'000U))
      .capture_default_str()
      .group(group);
  line.add_option(
          "--requests-max", http.requests_max,
          "Requests on one connection; 0: no limit. The last answer says that it is the last")
      .check(in_range(0U, 1'000'000'000U))
      .capture_default_str()
      .group(group);
}

}  // namespace

void add_http_options(CommandLine& line, HttpServerOptions& options) {
  add_site_options(line, options.site);
  add_protocol_options(line, options.http);
}

}  // namespace lab
