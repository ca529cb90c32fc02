// Asking a site takes no memory from the heap: counted, by standing in for malloc.

#include <gtest/gtest.h>

#include "06-server/lib/site/site.hpp"
#include "06-server/lib/site/site_builder.hpp"
#include "tests/count_allocations.hpp"
#include "tests/site/site_fixture.hpp"

namespace lab {
namespace {

TEST(FindAllocations, ThereAreNone) {
  if (!test::allocations_are_counted) GTEST_SKIP() << "a sanitizer has an allocator of its own";
  const Folder folder;
  folder.write("index.html", prose(5000));
  folder.write("a/index.html", "a");
  folder.write("404.html", "404");
  Site site(std::make_unique<Generation>(build_site(
      {.root = folder.path(), .fallback_page = "index.html", .missing_page = "404.html"})));
  test::counting = true;
  delete new int;
  test::counting = false;
  ASSERT_EQ(test::allocations.exchange(0), 1U) << "the counter counts";

  const std::string long_path = "/" + std::string(8000, 'x') + "/y";
  unsigned files = 0, redirects = 0, missing = 0, fallbacks = 0;
  test::counting = true;
  for (const std::string_view path :
       {std::string_view("/"), std::string_view("/index.html"), std::string_view("/a"),
        std::string_view("/a/"), std::string_view("/none.txt"), std::string_view("/route/7"),
        std::string_view(long_path)}) {
    const Found found = site.find(path);
    files += found.kind == Found::Kind::file;
    redirects += found.kind == Found::Kind::redirect;
    missing += found.kind == Found::Kind::missing;
    fallbacks += found.fallback != nullptr;
    if (found.kind == Found::Kind::file) {
      const Segment pin = site.pin();
      const Segment body = site.segment(found.resource->variants.front().body);
      site.collect();
    }
  }
  test::counting = false;
  EXPECT_EQ(test::allocations.load(), 0U);
  EXPECT_EQ(files, 3U);
  EXPECT_EQ(redirects, 1U);
  EXPECT_EQ(missing, 3U);
  EXPECT_EQ(fallbacks, 2U);
}

}  // namespace
}  // namespace lab
