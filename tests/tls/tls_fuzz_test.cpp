// Broken records, from a seed: bytes of real conversations are changed, dropped, doubled and cut.
// Whatever comes of it, the server neither crashes nor keeps a buffer, and says nothing that the
// client has not said.

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "tests/tls/tls_talk.hpp"

namespace lab::test {
namespace {

class Breaker {
 public:
  explicit Breaker(unsigned seed) : random_(seed) {}

  std::size_t below(std::size_t limit) { return random_() % limit; }
  std::string operator()(std::string records) {
    if (records.empty() || below(3) != 0) return records;
    const std::size_t at =
        below(2) == 0 ? below(std::min<std::size_t>(records.size(), 8)) : below(records.size());
    switch (below(4)) {
      case 0:
        records[at] = static_cast<char>(random_());
        break;
      case 1:
        records.erase(at, 1 + below(20));
        break;
      case 2:
        records.insert(at, records.substr(at / 2, 1 + below(40)));
        break;
      default:
        records.insert(0, std::string(1 + below(30), static_cast<char>(20 + below(5))));
        break;
    }
    return records;
  }

 private:
  std::mt19937 random_;
};

template <class P>
void converse(unsigned seed, const std::string& spoken,
              const std::shared_ptr<const TlsContext>& context) {
  Breaker breaker(seed);
  typename P::Shared shared(context);
  {
    const TestLimits limits{.buffers = static_cast<unsigned>(2 + breaker.below(6)),
                            .buffer_bytes = 300 + breaker.below(16'000),
                            .room_bytes = static_cast<std::uint32_t>(1 + breaker.below(60'000))};
    TlsTalk<P> talk(shared, {.version = breaker.below(2) == 0 ? TLS1_2_VERSION : TLS1_3_VERSION},
                    limits);
    for (int round = 0; round < 12 && !talk.server.ended(); ++round) {
      const std::string records = talk.client.take_records();
      talk.server.feed(breaker(records), 1 + breaker.below(3000));
      talk.server.settle();
      talk.client.feed(std::exchange(talk.server.output, {}));
      if (talk.client.connected() && !talk.client.failed() && !talk.client.got_close_notify()) {
        talk.client.write(spoken);
      }
    }
    if (!talk.server.ended()) talk.server.feed_end();
    if constexpr (std::is_same_v<P, Tls<Echo>>) {
      for (std::size_t at = 0; at < talk.client.text.size(); ++at) {
        ASSERT_EQ(talk.client.text[at], spoken[at % spoken.size()]);
      }
    }
  }
  EXPECT_EQ(shared.tls.plain.free(), context->options().plain_buffers);
}

TEST(TlsFuzz, BrokenRecords) {
  const auto context = std::make_shared<const TlsContext>(self_signed());
  for (unsigned seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(seed);
    converse<Tls<Echo>>(seed, "the same again ", context);
    converse<Tls<Lines>>(seed, "a line\nand half", context);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace lab::test
