#include "06-server/lib/site/mime_types.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>

#include "06-server/lib/site/site_text.hpp"

namespace lab {

namespace {

struct Known {
  std::string_view extension;
  std::string_view type;
};

// The types of the web. Scripts, modules, style sheets and wasm are refused by browsers when their
// type is not right (HTML standard, "fetch a single module script"; WebAssembly Web API).
constexpr std::array web_types{
    Known{"html", "text/html"},
    Known{"htm", "text/html"},
    Known{"xhtml", "application/xhtml+xml"},
    Known{"css", "text/css"},
    Known{"js", "text/javascript"},
    Known{"mjs", "text/javascript"},
    Known{"json", "application/json"},
    Known{"map", "application/json"},
    Known{"jsonld", "application/ld+json"},
    Known{"webmanifest", "application/manifest+json"},
    Known{"wasm", "application/wasm"},
    Known{"xml", "application/xml"},
    Known{"rss", "application/rss+xml"},
    Known{"atom", "application/atom+xml"},
    Known{"txt", "text/plain"},
    Known{"md", "text/markdown"},
    Known{"csv", "text/csv"},
    Known{"vtt", "text/vtt"},
    Known{"svg", "image/svg+xml"},
    Known{"png", "image/png"},
    Known{"jpg", "image/jpeg"},
    Known{"jpeg", "image/jpeg"},
    Known{"gif", "image/gif"},
    Known{"webp", "image/webp"},
    Known{"avif", "image/avif"},
    Known{"apng", "image/apng"},
    Known{"ico", "image/vnd.microsoft.icon"},
    Known{"bmp", "image/bmp"},
    Known{"woff", "font/woff"},
    Known{"woff2", "font/woff2"},
    Known{"ttf", "font/ttf"},
    Known{"otf", "font/otf"},
    Known{"mp4", "video/mp4"},
    Known{"webm", "video/webm"},
    Known{"mp3", "audio/mpeg"},
    Known{"ogg", "audio/ogg"},
    Known{"opus", "audio/ogg"},
    Known{"wav", "audio/x-wav"},
    Known{"pdf", "application/pdf"},
    Known{"zip", "application/zip"},
    Known{"gz", "application/gzip"},
    Known{"zst", "application/zstd"},
    Known{"tar", "application/x-tar"},
};

constexpr std::array packable{
    std::string_view("application/javascript"),
    std::string_view("application/json"),
    std::string_view("application/wasm"),
    std::string_view("application/xml"),
    std::string_view("application/x-tar"),
    std::string_view("application/vnd.ms-fontobject"),
    std::string_view("image/bmp"),
    std::string_view("image/vnd.microsoft.icon"),
    std::string_view("image/x-icon"),
    std::string_view("font/ttf"),
    std::string_view("font/otf"),
    std::string_view("font/collection"),
};

}  // namespace

MimeTypes::MimeTypes(const std::string& system_file) {
  for (const Known& known : web_types) types_.emplace(known.extension, known.type);
  std::ifstream file(system_file);
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string type;
    std::string extension;
    words >> type;
    // A type is a part of a header line: what is not written like one is passed over.
    if (type.find('/') == std::string::npos || type.find_first_of("\r\";,") != std::string::npos) {
      continue;
    }
    while (words >> extension) {
      lowercase(extension);
      types_.emplace(extension, type);
    }
  }
}

std::string_view MimeTypes::of(std::string_view name) const {
  constexpr std::string_view unknown = "application/octet-stream";
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return unknown;
  std::string extension(name.substr(dot + 1));
  lowercase(extension);
  const auto found = types_.find(extension);
  return found == types_.end() ? unknown : std::string_view(found->second);
}

bool has_charset(std::string_view type) {
  // XML says its charset itself, and a header would overrule it.
  return type.starts_with("text/") && type != "text/xml";
}

bool is_compressible(std::string_view type) {
  return type.starts_with("text/") || type.ends_with("+xml") || type.ends_with("+json") ||
         std::find(packable.begin(), packable.end(), type) != packable.end();
}

}  // namespace lab
