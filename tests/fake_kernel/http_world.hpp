// The site that clients of the model ask for.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "06-server/lib/protocol/http/http_shared.hpp"
#include "tests/fake_kernel/script.hpp"
#include "tests/http/test_site.hpp"

namespace lab::fake {

inline const test::TestSite& http_site() {
  static const test::TestSite site;
  return site;
}

/// Time stands still, so that an answer is the same whenever it is made; and there are as many
/// stores for heads in pieces as connections, so that nobody loses one.
inline HttpOptions http_options() {
  HttpOptions options;
  options.head_stores = 512;
  options.limits.bytes = 2048;
  options.now_s = []() noexcept -> std::int64_t { return test::site_modified_s + 1'000'000; };
  return options;
}

/// What a client asks, and what it must be answered.
std::shared_ptr<const Script> make_http_dialogue(std::uint64_t key);
/// What a file of the site holds that is read in pieces.
std::optional<std::string_view> http_file_content(int fd);

}  // namespace lab::fake
