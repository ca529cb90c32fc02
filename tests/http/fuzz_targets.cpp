#include "tests/http/fuzz_targets.hpp"

#include <map>
#include <string>

#include "01-core/lib/assert.hpp"
#include "06-server/lib/protocol/http/accept_encoding.hpp"
#include "06-server/lib/protocol/http/byte_range.hpp"
#include "06-server/lib/protocol/http/http_date.hpp"
#include "06-server/lib/protocol/http/preconditions.hpp"
#include "06-server/lib/protocol/http/request_target.hpp"
#include "tests/http/protocol_run.hpp"

namespace lab::test {
namespace {

constexpr std::int64_t now_s = 1'764'460'800;

// What was answered, and how it ended: the same however the bytes came.
std::string run(HttpWorld& world, std::string_view bytes, std::size_t piece,
                const TestLimits& limits) {
  TestConnection<HttpTestProtocol> connection(world.shared, limits);
  connection.io.files.swap(world.files);
  connection.feed(bytes, piece);
  connection.feed_end();
  LAB_ASSERT(!connection.io.was_reset);
  LAB_ASSERT(connection.io.finished);
  LAB_ASSERT(connection.io.outbox.empty());
  connection.io.files.swap(world.files);
  return connection.output;
}

}  // namespace

void fuzz_connection(std::string_view bytes) {
  HttpOptions options;
  options.now_s = []() noexcept { return now_s; };
  static HttpWorld world(false, options);
  const std::string whole = run(world, bytes, ~std::size_t{0}, {});
  LAB_ASSERT(run(world, bytes, 1, {}) == whole);
  LAB_ASSERT(run(world, bytes, 37, {.buffers = 2, .buffer_bytes = 20'000, .room_bytes = 1}) ==
             whole);
  LAB_ASSERT(world.source.first_in_use() == 0);
}

void fuzz_target(std::string_view bytes) {
  const auto target = parse_target(bytes);
  if (!target || target->form == RequestTarget::Form::asterisk) return;
  LAB_ASSERT(target->path.starts_with('/'));
  LAB_ASSERT(target->query.empty() || target->query.starts_with('?'));
  std::string space(target->path.size(), '\0');
  std::string_view path;
  if (decode_path(target->path, space, path) != PathResult::decoded) return;
  LAB_ASSERT(path.starts_with('/'));
  LAB_ASSERT(path.find('\0') == std::string_view::npos);
  const std::string closed = std::string(path) + "/";
  LAB_ASSERT(closed.find("/../") == std::string::npos);
  LAB_ASSERT(closed.find("/./") == std::string::npos);
}

void fuzz_range(std::string_view bytes) {
  for (const std::uint64_t size :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1000}, ~std::uint64_t{0}}) {
    const ByteRange range = parse_range(bytes, size);
    if (range.kind != ByteRange::Kind::part) continue;
    LAB_ASSERT(range.size > 0);
    LAB_ASSERT(range.offset < size);
    LAB_ASSERT(range.size <= size - range.offset);
  }
}

void fuzz_accept_encoding(std::string_view bytes) {
  const Variant variants[] = {{.coding = Coding::identity, .size = 300},
                              {.coding = Coding::gzip, .size = 100},
                              {.coding = Coding::brotli, .size = 80},
                              {.coding = Coding::zstd, .size = 90}};
  AcceptedCodings accepted;
  accepted.add(bytes);
  const Variant* chosen = choose_variant(variants, accepted);
  LAB_ASSERT(chosen != nullptr);
  LAB_ASSERT(chosen == &variants[0] || accepted.weight(chosen->coding) > 0);
  for (const Variant& other : variants)
    LAB_ASSERT(accepted.weight(other.coding) <= accepted.weight(chosen->coding));
}

void fuzz_conditions(std::string_view bytes) {
  const std::string_view etag = "\"abc\"";
  const TagMatch weak = match_tags(bytes, etag, Comparison::weak);
  const TagMatch strong = match_tags(bytes, etag, Comparison::strong);
  LAB_ASSERT((weak == TagMatch::invalid) == (strong == TagMatch::invalid));
  LAB_ASSERT(strong != TagMatch::yes || weak == TagMatch::yes);
  range_is_current(bytes, {.etag = etag, .modified_s = 1}, now_s);
  const auto seconds = parse_http_date(bytes, now_s);
  if (!seconds || *seconds < 0) return;
  DateCache cache;
  LAB_ASSERT(parse_http_date(cache.at(*seconds), now_s) == seconds);
}

}  // namespace lab::test
