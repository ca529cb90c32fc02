// What the operator's rules may say, and the types and texts that the site makes itself.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "06-server/lib/site/mime_types.hpp"
#include "06-server/lib/site/site_error.hpp"
#include "06-server/lib/site/site_rules.hpp"
#include "06-server/lib/site/site_text.hpp"
#include "tests/site/site_fixture.hpp"

namespace lab {
namespace {

using testing::HasSubstr;

template <class Read>
std::string refusal_of(const Read& read, std::string_view text) {
  try {
    read(text);
  } catch (const SiteError& error) {
    return error.what();
  }
  return "(none)";
}

TEST(HeaderField, IsReadAsItIsWritten) {
  const HeaderField field = header_field("X-Frame-Options: \t DENY ");
  EXPECT_EQ(field.name, "X-Frame-Options");
  EXPECT_EQ(field.value, "DENY");
  EXPECT_EQ(header_field("Content-Security-Policy: default-src 'self'; img-src *").value,
            "default-src 'self'; img-src *");
  EXPECT_EQ(header_field("X-Empty:").value, "");
  EXPECT_EQ(header_field("X-Latin: caf\xe9").value, "caf\xe9");
}

TEST(HeaderField, RefusesWhatWouldBreakTheHead) {
  EXPECT_THAT(refusal_of(&header_field, "NoColon"), HasSubstr("has no colon. Cure: --header '"));
  for (const std::string_view text :
       {": x", "A B: x", "X-Y : x", "X\r\nSet-Cookie: x", "\xc3\xa4: x", "X(: x"}) {
    EXPECT_THAT(refusal_of(&header_field, text), HasSubstr("is no name of a header field")) << text;
  }
  for (const std::string_view text :
       {std::string_view("X: a\r\nSet-Cookie: b"), std::string_view("X: a\nb"),
        std::string_view("X: a\rb"), std::string_view("X: a\0b", 6), std::string_view("X: \x7f")}) {
    EXPECT_THAT(refusal_of(&header_field, text), HasSubstr("control character")) << text;
  }
  EXPECT_THAT(refusal_of(&header_field, "X: a\nb"), HasSubstr("'a\\x0ab'"))
      << "a message is one line";
}

TEST(HeaderField, RefusesTheServersOwn) {
  for (const std::string_view name :
       {"Content-Length", "transfer-ENCODING", "Connection", "Keep-Alive", "Upgrade", "Trailer",
        "Date", "Content-Range", "Content-Encoding", "Content-Type", "ETag", "Last-Modified",
        "Vary", "Location"}) {
    EXPECT_THAT(refusal_of(&header_field, std::string(name) + ": x"),
                HasSubstr("cannot be set by hand"))
        << name;
  }
  EXPECT_THAT(refusal_of(&header_field, "Cache-Control: no-store"),
              HasSubstr("take --cache-control"));
  EXPECT_THAT(refusal_of(&header_field, "Access-Control-Allow-Origin: *"),
              HasSubstr("take --cors"));
}

TEST(CacheRule, IsReadAndRefused) {
  const CacheRule rule = cache_rule("*.js = public, max-age=31536000, immutable");
  EXPECT_EQ(rule.pattern, "*.js");
  EXPECT_EQ(rule.value, "public, max-age=31536000, immutable");
  for (const std::string_view text : {"", "*.js", "=x", "*.js=", "*.js=a\r\nX: b"}) {
    EXPECT_THAT(refusal_of(&cache_rule, text), HasSubstr("is no PATTERN=VALUE. Cure: ")) << text;
  }
  EXPECT_THAT(refusal_of(&cache_rule, "assets/*=no-store"), HasSubstr("Cure: '/assets/*'"));
}

TEST(CacheRule, TheFirstThatMatchesCounts) {
  const std::vector<CacheRule> rules{
      {"/assets/*", "immutable"}, {"*.html", "no-cache"}, {"app-?.[jc]s*", "one"}, {"*", "rest"}};
  EXPECT_EQ(cache_control(rules, "/assets/index.html"), "immutable");
  EXPECT_EQ(cache_control(rules, "/a/index.html"), "no-cache");
  EXPECT_EQ(cache_control(rules, "/x/assets/index.html"), "no-cache");
  EXPECT_EQ(cache_control(rules, "/app-1.css"), "one");
  EXPECT_EQ(cache_control(rules, "/other"), "rest");
  EXPECT_EQ(cache_control({{"*.js", "x"}}, "/other"), "");
}

TEST(CorsOrigin, IsAnOriginOrAStar) {
  EXPECT_EQ(cors_origin("*"), "*");
  EXPECT_EQ(cors_origin("https://www.example.org:8443"), "https://www.example.org:8443");
  for (const std::string_view text :
       {"", "example.org", "https://", "://x", "https://a/", "https://a,https://b", "https://a b",
        "https://a\r\nX: y", "https://u@a"}) {
    EXPECT_THAT(refusal_of(&cors_origin, text), HasSubstr("is no origin. Cure: ")) << text;
  }
}

// Field report 23.
TEST(MimeTypes, WhatBrowsersInsistOnIsExact) {
  const MimeTypes types("");  // no list of the system's
  const std::vector<std::pair<std::string_view, std::string_view>> known{
      {"a.mjs", "text/javascript"},
      {"a.js", "text/javascript"},
      {"a.wasm", "application/wasm"},
      {"a.svg", "image/svg+xml"},
      {"a.avif", "image/avif"},
      {"a.webp", "image/webp"},
      {"a.woff2", "font/woff2"},
      {"a.json", "application/json"},
      {"a.js.map", "application/json"},
      {"a.xhtml", "application/xhtml+xml"},
      {"a.rss", "application/rss+xml"},
      {"A.HTML", "text/html"},
      {"a.css", "text/css"},
      {"a.webmanifest", "application/manifest+json"},
      {"a.js.gz", "application/gzip"},
      {"README", "application/octet-stream"},
      {"html", "application/octet-stream"},
      {"a.", "application/octet-stream"},
      {"a.unknown", "application/octet-stream"}};
  for (const auto& [name, type] : known) EXPECT_EQ(types.of(name), type) << name;
}

TEST(MimeTypes, TheSystemsListAddsWhatIsMissing) {
  const Folder folder;
  folder.write("mime.types",
               "# a comment\n"
               "application/x-thing\t\tThing thg # and another\n"
               "application/wrong;\"x\"  wrong\n"
               "application/x-none\n"
               "noslash  slashless\n"
               "application/x-javascript js\n");
  const MimeTypes types(folder.path("mime.types"));
  EXPECT_EQ(types.of("a.thing"), "application/x-thing");
  EXPECT_EQ(types.of("a.thg"), "application/x-thing");
  EXPECT_EQ(types.of("a.wrong"), "application/octet-stream");
  EXPECT_EQ(types.of("a.slashless"), "application/octet-stream");
  EXPECT_EQ(types.of("a.and"), "application/octet-stream");
  EXPECT_EQ(types.of("a.js"), "text/javascript") << "the list of our own comes first";
}

TEST(MimeTypes, ACharsetIsForTextAlone) {
  EXPECT_TRUE(has_charset("text/html"));
  EXPECT_TRUE(has_charset("text/javascript"));
  for (const char* type : {"application/wasm", "image/svg+xml", "application/json", "text/xml",
                           "application/xhtml+xml", "image/png"}) {
    EXPECT_FALSE(has_charset(type)) << type;
  }
}

TEST(MimeTypes, WhatIsCompressedAlreadyIsNotTried) {
  for (const char* type : {"text/html", "text/javascript", "application/javascript",
                           "application/json", "image/svg+xml", "application/wasm", "font/ttf",
                           "application/ld+json", "application/rss+xml"}) {
    EXPECT_TRUE(is_compressible(type)) << type;
  }
  for (const char* type : {"image/png", "image/jpeg", "image/avif", "font/woff2", "font/woff",
                           "video/mp4", "audio/mpeg", "application/zip", "application/gzip",
                           "application/zstd", "application/octet-stream"}) {
    EXPECT_FALSE(is_compressible(type)) << type;
  }
}

TEST(SiteText, NamesInMessagesActOnNoTerminal) {
  EXPECT_EQ(shown("a\x1b[2J\n'\\\x7f"), "a\\x1b[2J\\x0a\\x27\\x5c\\x7f");
  EXPECT_EQ(shown("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
  EXPECT_EQ(shown("\xff"), "\\xff");
}

TEST(SiteText, PathsAreEncodedForAUrl) {
  EXPECT_EQ(encoded_path("/a-b_c.d~/!$&'()*+,;=:@/"), "/a-b_c.d~/!$&'()*+,;=:@/");
  EXPECT_EQ(encoded_path_for_shell("/a-b_c.d~/!$&'()*+,;=:@/"),
            "/a-b_c.d~/%21%24%26%27%28%29%2A+,%3B=:@/");
  EXPECT_EQ(encoded_path("/a b?c#d%\"<>\\^`{|}\r\n\xc3\xa4\x7f"),
            "/a%20b%3Fc%23d%25%22%3C%3E%5C%5E%60%7B%7C%7D%0D%0A%C3%A4%7F");
}

TEST(SiteText, DatesAreOfTheOneForm) {
  EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(http_date(1), "Thu, 01 Jan 1970 00:00:01 GMT");
  EXPECT_EQ(http_date(4102444799), "Thu, 31 Dec 2099 23:59:59 GMT");
}

bool is_utf8(std::string_view text) {
  Utf8Check whole;
  whole.feed(std::as_bytes(std::span(text)));
  Utf8Check in_pieces;
  for (const char& byte : text) in_pieces.feed(std::as_bytes(std::span(&byte, 1)));
  EXPECT_EQ(whole.valid(), in_pieces.valid());
  return whole.valid();
}

TEST(SiteText, Utf8IsToldFromWhatIsNone) {
  for (const std::string_view text :
       {"", "ascii", "\xc2\x80\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(is_utf8(text)) << shown(text);
  }
  for (const std::string_view text :
       {"\x80", "\xc3", "\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "caf\xe9", "\xe2\x82", "\xff"}) {
    EXPECT_FALSE(is_utf8(text)) << shown(text);
  }
}

}  // namespace
}  // namespace lab
