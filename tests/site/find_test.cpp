// Names to answers: files, directories, redirects, and the pages for what is missing.

#include <gtest/gtest.h>

#include "tests/site/site_fixture.hpp"

namespace lab {
namespace {

class FindTest : public SiteTest {
 protected:
  std::string location(std::string_view path) const {
    const Found found = find(path);
    return found.kind == Found::Kind::redirect ? std::string(found.location) : "(none)";
  }
  bool falls_back(std::string_view path) const {
    const Found found = find(path);
    EXPECT_EQ(found.kind, Found::Kind::missing);
    return found.fallback != nullptr;
  }
};

// Field report 19.
TEST_F(FindTest, ADirectoryAndItsIndexAreOneResource) {
  folder_.write("index.html", "top");
  folder_.write("a/index.html", "a");
  options_.cache_rules = {{"index.html", "no-cache"}};
  load();
  EXPECT_EQ(file("/"), file("/index.html"));
  EXPECT_EQ(file("/a/"), file("/a/index.html"));
  EXPECT_EQ(field("/", "Cache-Control"), "no-cache");
  EXPECT_EQ(field("/a/", "Cache-Control"), "no-cache");
}

TEST_F(FindTest, AReloadCountsForAllNamesOfAFile) {
  folder_.write("index.html", "old");
  folder_.write("a/index.html", "a");
  folder_.write("gone.html", "gone");
  load();
  folder_.write("index.html", "new");
  folder_.write("b/index.html", "b");
  folder_.remove("gone.html");
  folder_.remove("a");
  load();
  EXPECT_EQ(content("/"), "new");
  EXPECT_EQ(content("/index.html"), "new");
  EXPECT_EQ(content("/b/"), "b");
  EXPECT_EQ(location("/b"), "/b/");
  EXPECT_EQ(content("/gone.html"), "(missing)");
  EXPECT_EQ(content("/a/"), "(missing)");
  EXPECT_EQ(location("/a"), "(none)");
}

// Field report 17.
TEST_F(FindTest, ANameThatEndsLikeAnIndexIsNone) {
  folder_.write("test-index.html", "test");
  folder_.write("a/index.html.bak", "old");
  load();
  EXPECT_EQ(content("/test-index.html"), "test");
  EXPECT_EQ(content("/"), "(missing)");
  EXPECT_EQ(content("/test-"), "(missing)");
  EXPECT_EQ(content("/a/"), "(missing)");
  EXPECT_EQ(location("/a"), "(none)") << "a directory that has nothing to show is not told of";
}

TEST_F(FindTest, AnotherNameCanBeTheIndex) {
  folder_.write("index.html", "x");
  folder_.write("default.htm", "y");
  options_.index = "default.htm";
  load();
  EXPECT_EQ(content("/"), "y");
}

// Field reports 15 (the query is the protocol's) and 18.
TEST_F(FindTest, ADirectoryIsRedirectedToItsSlash) {
  folder_.write("a/b/index.html", "b");
  load();
  EXPECT_EQ(location("/a/b"), "/a/b/");
  EXPECT_EQ(location("/a"), "(none)");
}

TEST_F(FindTest, TheRedirectCanBeSwitchedOff) {
  folder_.write("a/index.html", "a");
  options_.redirect_directories = false;
  load();
  EXPECT_EQ(location("/a"), "(none)");
  EXPECT_EQ(content("/a"), "a");
  EXPECT_EQ(file("/a"), file("/a/"));
}

// Field report 16.
TEST_F(FindTest, ARedirectLeadsToNoOtherHost) {
  const std::vector<std::string> names{"\\evil.example", "http:", "%2f%2fevil.example",
                                       "a\r\nX: b",      "?x",    "#x"};
  for (const std::string& name : names) folder_.write(name + "/index.html", name);
  load();
  EXPECT_EQ(location("/\\evil.example"), "/%5Cevil.example/");
  EXPECT_EQ(location("/http:"), "/http:/");
  EXPECT_EQ(location("/%2f%2fevil.example"), "/%252f%252fevil.example/");
  EXPECT_EQ(location("/a\r\nX: b"), "/a%0D%0AX:%20b/");
  EXPECT_EQ(location("/?x"), "/%3Fx/");
  EXPECT_EQ(location("/#x"), "/%23x/");
  for (const char* path : {"//evil.example", "//", "///", "//http:", "/http://", "//http:/"}) {
    EXPECT_EQ(find(path).kind, Found::Kind::missing) << path;
  }
}

// Field report 31.
TEST_F(FindTest, NothingIsBelowAFile) {
  folder_.write("a.html", "a");
  load();
  for (const char* path :
       {"/a.html/", "/a.html/x", "/a.htm", "/a.html ", "/A.html", "a.html", ""}) {
    EXPECT_EQ(content(path), "(missing)") << path;
  }
}

// Field reports 20 and 21.
TEST_F(FindTest, TheFallbackStandsForRoutesAlone) {
  folder_.write("index.html", prose(5000));
  folder_.write("assets/app.js", prose(5000));
  folder_.write("assets/icons/a.svg", "<svg/>");
  folder_.write("blog/first/index.html", "post");
  folder_.write("blog/pictures/a.png", "png");
  folder_.write(".well-known/acme-challenge/token", "x");
  options_.fallback_page = "index.html";
  options_.cache_rules = {{"*", "public, max-age=31536000, immutable"}};
  load();
  for (const char* path : {"/users", "/users/7", "/users/7/", "/blog/second", "/blog/first/x",
                           "/assetsx", "/users/assets/app"}) {
    EXPECT_TRUE(falls_back(path)) << path;
  }
  for (const char* path :
       {"/app.1234.js", "/users/7.json", "/assets/app", "/assets/", "/assets/icons/b",
        "/assets/new/b", "/blog/pictures/b", "/.env", "/.git/config", "/a/.b/c",
        "/.well-known/acme-challenge/other", "/.well-known/x", ""}) {
    EXPECT_FALSE(falls_back(path)) << path;
  }
  const Found found = find("/users");
  EXPECT_EQ(found.resource, nullptr);
  ASSERT_NE(found.fallback, nullptr);
  const Variant& page = found.fallback->variants.front();
  EXPECT_EQ(text_of(page.body), prose(5000));
  EXPECT_NE(page.fields.find("Cache-Control: no-cache\r\n"), std::string_view::npos);
  EXPECT_EQ(page.fields.find("immutable"), std::string_view::npos);
  EXPECT_NE(page.fields.find("Vary: Accept, Accept-Encoding\r\n"), std::string_view::npos);
  EXPECT_EQ(lines_named(page.fields, "ETag"), 1U);
  EXPECT_EQ(found.fallback->variants.size(), 4U) << "the fallback has all codings";
  EXPECT_EQ(field("/index.html", "Cache-Control"), "public, max-age=31536000, immutable");
  EXPECT_EQ(page.body.data(), variant("/", Coding::identity)->body.data()) << "one copy";
}

TEST_F(FindTest, ASiteWithoutAnIndexFallsBackAtTheTop) {
  folder_.write("app.html", "app");
  options_.fallback_page = "/app.html";
  load();
  EXPECT_TRUE(falls_back("/"));
}

TEST_F(FindTest, TheMissingPageIsAnotherThing) {
  folder_.write("index.html", "top");
  folder_.write("404.html", prose(5000));
  options_.missing_page = "/404.html";
  options_.fallback_page = "/index.html";
  load();
  const Found found = find("/nowhere.txt");
  EXPECT_EQ(found.kind, Found::Kind::missing);
  EXPECT_EQ(found.fallback, nullptr);
  ASSERT_NE(found.resource, nullptr);
  EXPECT_EQ(text_of(found.resource->variants.front().body), prose(5000));
  for (const Variant& one : found.resource->variants) {
    EXPECT_EQ(lines_named(one.fields, "ETag"), 0U) << "a 404 has no validators";
    EXPECT_EQ(lines_named(one.fields, "Last-Modified"), 0U);
    EXPECT_EQ(lines_named(one.fields, "Vary"), 1U);
  }
  EXPECT_EQ(lines_named(fields("/404.html"), "ETag"), 1U) << "under its own name it is a file";
  EXPECT_NE(find("/route").fallback, nullptr);
  EXPECT_NE(find("/route").resource, nullptr) << "for who takes no HTML";
}

TEST_F(FindTest, APageThatIsNotThereIsRefusedWithItsCure) {
  folder_.write("index.html", "top");
  options_.missing_page = "404.html";
  EXPECT_EQ(refusal(),
            "--404: the site has no file '/404.html'. Cure: name one by its path below the folder, "
            "as in --404 /index.html");
  options_.missing_page.clear();
  options_.fallback_page = "/app/";
  EXPECT_NE(refusal().find("--spa: the site has no file '/app/'"), std::string::npos);
}

TEST_F(FindTest, ManyNamesAreAllFound) {
  for (unsigned number = 0; number < 500; ++number) {
    folder_.write(std::to_string(number % 20) + "/" + std::to_string(number),
                  std::to_string(number));
  }
  load();
  EXPECT_EQ(site_->files_count(), 500U);
  for (unsigned number = 0; number < 500; ++number) {
    EXPECT_EQ(content("/" + std::to_string(number % 20) + "/" + std::to_string(number)),
              std::to_string(number));
  }
}

}  // namespace
}  // namespace lab
