// Runs a case against the protocol alone.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "06-server/lib/protocol/http/http_static.hpp"
#include "tests/http/case_file.hpp"
#include "tests/http/test_site.hpp"
#include "tests/http/transcript.hpp"
#include "tests/protocol/test_io.hpp"

namespace lab::test {

using HttpTestProtocol = HttpStatic<TestSource>;
static_assert(Protocol<HttpTestProtocol>);

/// A site with the protocol on it.
struct HttpWorld {
  explicit HttpWorld(bool streamed = false, HttpOptions what = {})
      : site(streamed), source(site), options(small(what)), shared(options, source, counters) {}

  // Stores for every connection of a test would be memory that each run pays for.
  static HttpOptions small(HttpOptions options) {
    options.head_stores = 2;
    return options;
  }

  TestSite site;
  /// What it streams, lent to one connection after another: a copy for each of 100,000 runs would
  /// be all that they do.
  std::map<int, TestIo::File> files = site.streams();
  TestSource source;
  std::array<Counter, HttpCounters::size> memory;
  HttpCounters counters{memory};
  HttpOptions options;
  HttpShared<TestSource> shared;
};

/// How bytes reach the protocol.
struct Delivery {
  std::size_t piece = ~std::size_t{0};  ///< bytes of each segment
  std::size_t cut = 0;                  ///< where the first write is cut once; 0: nowhere
  TestLimits limits;
};

inline std::string find_test_tag(const TestSite& site, const std::string& path,
                                 const std::string& coding) {
  const Found found = site.find(path);
  if (found.resource == nullptr) return "\"no such file\"";
  for (const Variant& variant : found.resource->variants) {
    const bool encoded = variant.fields.find("Content-Encoding: " + coding) != std::string::npos;
    if (encoded || (coding == "identity" && variant.coding == Coding::identity))
      return std::string(variant.etag);
  }
  return "\"no such variant\"";
}

inline Transcript run_case(HttpWorld& world, const Case& wanted, const Delivery& delivery) {
  TestConnection<HttpTestProtocol> connection(world.shared, delivery.limits);
  connection.io.files.swap(world.files);
  bool first = true;
  for (const Step& step : wanted.steps) {
    if (step.kind == Step::Kind::end) {
      connection.feed_end();
    } else if (step.kind == Step::Kind::pass) {
      connection.pass(step.milliseconds);
    } else {
      const std::size_t cut = std::exchange(first, false) ? delivery.cut : 0;
      connection.feed(std::string_view(step.text).substr(0, cut), delivery.piece);
      connection.feed(std::string_view(step.text).substr(cut), delivery.piece);
    }
  }
  if (wanted.then == Then::open) connection.feed(probe, delivery.piece);
  Transcript transcript{.bytes = connection.output};
  if (connection.io.was_reset) {
    transcript.end = End::reset;
  } else if (connection.io.finished) {
    transcript.end = *connection.io.finished == Finish::linger ? End::lingers : End::closed;
  }
  connection.io.files.swap(world.files);
  return transcript;
}

inline std::string joined(const std::vector<std::string>& lines) {
  std::string all;
  for (const std::string& line : lines) all += "\n  " + line;
  return all;
}

}  // namespace lab::test
