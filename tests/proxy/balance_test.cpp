// The proxy's session without an engine: what it does while there is no place for its upstream, and
// while that does not answer.

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "06-server/proxy/balance.hpp"
#include "tests/protocol/test_io.hpp"

namespace lab::test {
namespace {

// Every place is taken, or nobody answers.
class FullIo : public TestIo {
 public:
  bool dial(const SocketAddress&) noexcept {
    ++dials;
    return !full;
  }
  DialState dial_state() const noexcept { return full ? DialState::failed : DialState::dialling; }
  int dial_error() const noexcept { return EMFILE; }
  void hang_up() noexcept {}
  void relay() noexcept {}
  bool relays() const noexcept { return false; }
  void pass(Segment) noexcept {}
  void pass_end() noexcept {}
  void find_ends() noexcept {}
  bool finds_ends() const noexcept { return false; }
  bool ends(ConnectionEnds&) const noexcept { return false; }

  unsigned dials = 0;
  bool full = true;
};
static_assert(DiallingIo<FullIo>);

class WithoutPlaces : public testing::Test {
 protected:
  explicit WithoutPlaces(bool full = true)
      : counters_(2 * 1 + 3),
        shared_(SessionOptions{.frames_max = 2},
                Upstreams(std::vector(1, SocketAddress{}), Balance::round_robin, 40),
                ProxyCounters(counters_), 1000U, false),
        proxy_(std::make_unique<Proxy>(shared_)) {
    io_.full = full;
    io_.on_reset = [this] { proxy_->on_abort(); };
    proxy_->on_open(io_);
  }

  std::uint64_t failed() { return ProxyCounters(counters_).failed(0).get(); }
  std::uint64_t unserved() { return ProxyCounters(counters_).unserved().get(); }
  void pass_tick() {
    ++io_.now;
    shared_.on_tick(io_.now);
    proxy_->on_turn(io_);
  }

  std::vector<Counter> counters_;
  Proxy::Shared shared_;
  FullIo io_;
  std::unique_ptr<Proxy> proxy_;
};

TEST_F(WithoutPlaces, ItTriesAgain) {
  const unsigned before = io_.dials;
  for (unsigned ticks = 0; ticks < 4; ++ticks) pass_tick();
  EXPECT_GT(io_.dials, before);
  EXPECT_EQ(failed(), 0U) << "the shortage is here";
  proxy_->on_abort();
}

TEST_F(WithoutPlaces, TheClientGoesAndNothingIsAskedOfTheEngine) {
  proxy_->on_abort();
  EXPECT_EQ(failed(), 0U) << "the upstream was never asked";
  EXPECT_EQ(unserved(), 0U);
}

TEST_F(WithoutPlaces, ADrainLetsItWaitOn) {
  proxy_->on_drain(io_);
  pass_tick();
  EXPECT_EQ(failed(), 0U);
  EXPECT_FALSE(io_.finished);
  proxy_->on_abort();
}

TEST_F(WithoutPlaces, TheIdleTimeoutEndsIt) {
  proxy_->on_wind_up(io_);
  EXPECT_EQ(failed(), 0U) << "the upstream was never asked";
  EXPECT_EQ(unserved(), 1U);
  EXPECT_TRUE(io_.finished);
  proxy_->on_abort();
}

class WhileItDials : public WithoutPlaces {
 protected:
  WhileItDials() : WithoutPlaces(false) {}
};

TEST_F(WhileItDials, TheIdleTimeoutEndsItAndNoUpstreamIsToBlame) {
  proxy_->on_wind_up(io_);
  EXPECT_EQ(failed(), 0U);
  EXPECT_EQ(ProxyCounters(counters_).timeouts().get(), 0U);
  EXPECT_EQ(unserved(), 1U);
  EXPECT_TRUE(io_.finished);
  proxy_->on_abort();
}

TEST_F(WhileItDials, NobodyAnswersInTimeAndTheUpstreamHasFailed) {
  for (unsigned ticks = 0; ticks <= 1000 / protocol_tick_ms; ++ticks) pass_tick();
  EXPECT_EQ(failed(), 1U);
  EXPECT_EQ(ProxyCounters(counters_).timeouts().get(), 1U);
  EXPECT_EQ(unserved(), 1U);
  proxy_->on_abort();
}

}  // namespace
}  // namespace lab::test
