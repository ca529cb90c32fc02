#include "06-server/lib/site/head_fields.hpp"

#include "06-server/lib/site/compression.hpp"
#include "06-server/lib/site/site_text.hpp"

namespace lab {

namespace {

void add_line(std::string& lines, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  lines.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

std::string head_fields(const HeadFacts& facts, std::string_view common) {
  std::string lines;
  add_line(lines, "Content-Type", facts.type);
  if (facts.coding != Coding::identity) {
    add_line(lines, "Content-Encoding", coding_name(facts.coding));
  }
  add_line(lines, "ETag", facts.etag);
  if (facts.modified_s != 0) add_line(lines, "Last-Modified", http_date(facts.modified_s));
  add_line(lines, "Vary", facts.vary);
  add_line(lines, "Cache-Control", facts.cache_control);
  return lines.append(common);
}

std::string head_fields_304(const HeadFacts& facts, std::string_view common) {
  std::string lines;
  add_line(lines, "ETag", facts.etag);
  add_line(lines, "Vary", facts.vary);
  add_line(lines, "Cache-Control", facts.cache_control);
  return lines.append(common);
}

std::string common_fields(const SiteOptions& options) {
  std::string lines;
  for (const HeaderField& field : options.fields) {
    lines.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  if (!options.cors_origin.empty()) {
    add_line(lines, "Access-Control-Allow-Origin", options.cors_origin);
    // Fetch standard, "CORS-safelisted response-header name": these are not on that list.
    add_line(lines, "Access-Control-Expose-Headers",
             "Accept-Ranges, Content-Encoding, Content-Range, ETag");
  }
  return lines;
}

std::string preflight_fields(const SiteOptions& options) {
  std::string lines;
  if (options.cors_origin.empty()) return lines;
  add_line(lines, "Access-Control-Allow-Origin", options.cors_origin);
  add_line(lines, "Access-Control-Allow-Methods", "GET, HEAD, OPTIONS");
  add_line(lines, "Access-Control-Allow-Headers",
           "Range, If-Range, If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since");
  add_line(lines, "Access-Control-Max-Age", "86400");
  return lines;
}

}  // namespace lab
