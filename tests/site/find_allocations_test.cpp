// Asking a site takes no memory from the heap: counted, by standing in for malloc.

#include <gtest/gtest.h>

#include <cstdlib>

#include "06-server/lib/site/site.hpp"
#include "06-server/lib/site/site_builder.hpp"
#include "tests/site/site_fixture.hpp"

namespace {

constinit bool counting_finds = false;
unsigned long find_allocations = 0;

}  // namespace

#ifdef LAB_SANITIZED
constexpr bool counts = false;
#else
constexpr bool counts = true;

// glibc's own allocator under the names that it exports for this; operator new comes here too.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);

void* malloc(std::size_t size) {
  if (counting_finds) ++find_allocations;
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  if (counting_finds) ++find_allocations;
  return __libc_calloc(count, size);
}
void* realloc(void* memory, std::size_t size) {
  if (counting_finds) ++find_allocations;
  return __libc_realloc(memory, size);
}
}
#endif

namespace lab {
namespace {

TEST(FindAllocations, ThereAreNone) {
  if (!counts) GTEST_SKIP() << "a sanitizer has an allocator of its own";
  const Folder folder;
  folder.write("index.html", prose(5000));
  folder.write("a/index.html", "a");
  folder.write("404.html", "404");
  Site site(std::make_unique<Generation>(build_site(
      {.root = folder.path(), .fallback_page = "index.html", .missing_page = "404.html"})));
  counting_finds = true;
  delete new int;
  counting_finds = false;
  ASSERT_EQ(std::exchange(find_allocations, 0), 1U) << "the counter counts";

  const std::string long_path = "/" + std::string(8000, 'x') + "/y";
  unsigned files = 0, redirects = 0, missing = 0, fallbacks = 0;
  counting_finds = true;
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
  counting_finds = false;
  EXPECT_EQ(find_allocations, 0U);
  EXPECT_EQ(files, 3U);
  EXPECT_EQ(redirects, 1U);
  EXPECT_EQ(missing, 3U);
  EXPECT_EQ(fallbacks, 2U);
}

}  // namespace
}  // namespace lab
