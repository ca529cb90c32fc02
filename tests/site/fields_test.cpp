// The header lines of each file and coding, as they are sent.

#include <gtest/gtest.h>

#include <ctime>
#include <set>

#include "06-server/lib/site/head_fields.hpp"
#include "06-server/lib/site/site_rules.hpp"
#include "tests/site/site_fixture.hpp"

namespace lab {
namespace {

using FieldsTest = SiteTest;

TEST_F(FieldsTest, AreWholeLinesInOrder) {
  folder_.write("page.html", prose(5000));
  folder_.set_time("page.html", 784111777);
  options_.cache_rules = {{"*.html", "no-cache"}};
  options_.fields = {{"X-Frame-Options", "DENY"}, {"X-Two", "2"}};
  load();
  const Variant* gzip = variant("/page.html", Coding::gzip);
  ASSERT_NE(gzip, nullptr);
  const std::string etag(gzip->etag);
  EXPECT_EQ(gzip->fields,
            "Content-Type: text/html; charset=utf-8\r\nContent-Encoding: gzip\r\nETag: " + etag +
                "\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                "Vary: Accept-Encoding\r\nCache-Control: no-cache\r\n"
                "X-Frame-Options: DENY\r\nX-Two: 2\r\n");
  EXPECT_EQ(gzip->fields_304, "ETag: " + etag +
                                  "\r\nVary: Accept-Encoding\r\nCache-Control: no-cache\r\n"
                                  "X-Frame-Options: DENY\r\nX-Two: 2\r\n");
  EXPECT_EQ(file("/page.html")->modified_s, 784111777);
  EXPECT_EQ(site_->common_fields(), "X-Frame-Options: DENY\r\nX-Two: 2\r\n");
  EXPECT_EQ(site_->preflight_fields(), "");
}

// Field report 8.
TEST_F(FieldsTest, AnEtagIsTheContentsAndOfOneCoding) {
  folder_.write("a.html", prose(5000));
  folder_.write("b.html", prose(5000));
  folder_.write("c.html", prose(5001));
  folder_.set_time("b.html", 1000);
  load();
  std::set<std::string_view> seen;
  for (const Variant& one : file("/a.html")->variants) {
    EXPECT_TRUE(one.etag.starts_with("\"") && one.etag.ends_with("\"")) << one.etag;
    EXPECT_EQ(one.etag.size(), 34U);
    seen.insert(one.etag);
  }
  EXPECT_EQ(seen.size(), 4U);
  EXPECT_EQ(variant("/a.html", Coding::identity)->etag, variant("/b.html", Coding::identity)->etag)
      << "other times, one content";
  EXPECT_NE(variant("/a.html", Coding::identity)->etag, variant("/c.html", Coding::identity)->etag);
  const std::string before(variant("/a.html", Coding::gzip)->etag);
  folder_.set_time("a.html", 5000);
  load();
  EXPECT_EQ(variant("/a.html", Coding::gzip)->etag, before);
}

// Field report 7.
TEST_F(FieldsTest, VaryIsOnEachVariantOfANegotiablePath) {
  folder_.write("page.html", prose(5000));
  folder_.write("a.png", "png");
  load();
  for (const Variant& one : file("/page.html")->variants) {
    EXPECT_EQ(lines_named(one.fields, "Vary"), 1U);
    EXPECT_EQ(lines_named(one.fields_304, "Vary"), 1U);
  }
  EXPECT_EQ(lines_named(fields("/a.png"), "Vary"), 0U);
}

// E37.
TEST_F(FieldsTest, LastModifiedIsNotInTheFuture) {
  folder_.write("page.html", "x");
  const std::int64_t before = std::time(nullptr);
  folder_.set_time("page.html", before + 1'000'000);
  load();
  EXPECT_GE(file("/page.html")->modified_s, before);
  EXPECT_LE(file("/page.html")->modified_s, std::time(nullptr));
}

// Field report 8: reproducible builds.
TEST_F(FieldsTest, ATimeThatIsNoneIsNotTold) {
  folder_.write("zero.html", "x");
  folder_.write("one.html", "x");
  folder_.write("two.html", "x");
  folder_.set_time("zero.html", 0);
  folder_.set_time("one.html", 1);
  folder_.set_time("two.html", 2);
  load();
  EXPECT_EQ(field("/zero.html", "Last-Modified"), "(none)");
  EXPECT_EQ(field("/one.html", "Last-Modified"), "(none)");
  EXPECT_EQ(file("/one.html")->modified_s, 0);
  EXPECT_EQ(field("/two.html", "Last-Modified"), "Thu, 01 Jan 1970 00:00:02 GMT");
}

// Field report 23.
TEST_F(FieldsTest, ACharsetIsToldWhereTheTextIsUtf8) {
  folder_.write("utf8.html", "gr\xc3\xbc\xc3\x9f");
  folder_.write("latin.html", "<meta charset=iso-8859-1>gr\xfc\xdf");
  folder_.write("a.wasm", "x");
  folder_.write("a.mjs", "x");
  folder_.write("a.svg", "x");
  load();
  EXPECT_EQ(field("/utf8.html", "Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(field("/latin.html", "Content-Type"), "text/html");
  EXPECT_EQ(field("/a.wasm", "Content-Type"), "application/wasm");
  EXPECT_EQ(field("/a.mjs", "Content-Type"), "text/javascript; charset=utf-8");
  EXPECT_EQ(field("/a.svg", "Content-Type"), "image/svg+xml");
}

TEST_F(FieldsTest, CorsIsOnEveryAnswer) {
  folder_.write("page.html", prose(5000));
  options_.cors_origin = cors_origin("https://app.example.org");
  load();
  for (const Variant& one : file("/page.html")->variants) {
    for (const std::string_view lines : {one.fields, one.fields_304, site_->common_fields()}) {
      EXPECT_EQ(lines_named(lines, "Access-Control-Allow-Origin"), 1U);
      EXPECT_EQ(lines_named(lines, "Access-Control-Expose-Headers"), 1U);
    }
  }
  EXPECT_EQ(field("/page.html", "Access-Control-Allow-Origin"), "https://app.example.org");
  EXPECT_EQ(lines_named(site_->preflight_fields(), "Access-Control-Allow-Origin"), 1U);
  EXPECT_EQ(lines_named(site_->preflight_fields(), "Access-Control-Allow-Methods"), 1U);
  EXPECT_EQ(lines_named(site_->preflight_fields(), "Access-Control-Allow-Headers"), 1U);
}

TEST_F(FieldsTest, NoneFramesTheMessage) {
  folder_.write("page.html", prose(5000));
  load();
  for (const Variant& one : file("/page.html")->variants) {
    for (const char* name : {"Content-Length", "Content-Range", "Date", "Connection"}) {
      EXPECT_EQ(lines_named(one.fields, name), 0U) << name;
    }
    EXPECT_EQ(lines_named(one.fields_304, "Content-Type"), 0U);
    EXPECT_EQ(lines_named(one.fields_304, "Content-Encoding"), 0U);
  }
}

}  // namespace
}  // namespace lab
