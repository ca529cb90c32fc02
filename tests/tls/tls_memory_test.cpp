// What a TLS connection costs in memory: OpenSSL's own, counted where it asks for it, and ours.
//   tls-memory prints the table; the goal is the test.

#include <gtest/gtest.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "06-server/lib/engine/worker.hpp"
#include "tests/tls/tls_talk.hpp"

namespace lab::test {
namespace {

enum class Side : std::size_t { nobody, server, client, count };

// Who has asked for how much. One thread.
struct Account {
  Side asks = Side::nobody;
  std::size_t bytes[static_cast<std::size_t>(Side::count)] = {};

  std::size_t& of(Side side) { return bytes[static_cast<std::size_t>(side)]; }
};
Account account;

struct alignas(std::max_align_t) Head {
  std::size_t size;
  Side side;
};

void* count_malloc(std::size_t size, const char*, int) {
  auto* const head = static_cast<Head*>(std::malloc(sizeof(Head) + size));
  if (head == nullptr) return nullptr;
  *head = {size, account.asks};
  account.of(head->side) += size;
  return head + 1;
}

void count_free(void* memory, const char*, int) {
  if (memory == nullptr) return;
  Head* const head = static_cast<Head*>(memory) - 1;
  account.of(head->side) -= head->size;
  std::free(head);
}

void* count_realloc(void* memory, std::size_t size, const char* file, int line) {
  if (memory == nullptr) return count_malloc(size, file, line);
  void* const larger = size > 0 ? count_malloc(size, file, line) : nullptr;
  if (larger != nullptr) {
    std::memcpy(larger, memory, std::min(size, (static_cast<Head*>(memory) - 1)->size));
  }
  if (larger != nullptr || size == 0) count_free(memory, file, line);
  return larger;
}

// Before OpenSSL has asked for anything, or it refuses.
const bool counted = CRYPTO_set_mem_functions(&count_malloc, &count_realloc, &count_free) == 1;

template <class What>
auto as(Side side, What what) {
  const Side before = std::exchange(account.asks, side);
  struct Back {
    Side side;
    ~Back() { account.asks = side; }
  } const back{before};
  return what();
}

class Pair {
 public:
  Pair(Tls<Echo>::Shared& shared, int version)
      : client_(
            as(Side::client,
               [&] { return std::make_unique<TlsClient>(TlsClientOptions{.version = version}); })),
        server_(as(Side::server,
                   [&] { return std::make_unique<TestConnection<Tls<Echo>>>(shared); })) {}
  ~Pair() {
    as(Side::server, [&] { server_.reset(); });
    as(Side::client, [&] { client_.reset(); });
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  /// One way, then back. @return whether anything went
  bool exchange() {
    const std::string records = client_->take_records();
    as(Side::server, [&] { server_->feed(records); });
    const std::string output = std::exchange(server_->output, {});
    as(Side::client, [&] { client_->feed(output); });
    return !records.empty() || !output.empty();
  }
  void say(const std::string& text) {
    as(Side::client, [&] { client_->write(text); });
    while (exchange()) {
    }
  }
  TlsClient& client() { return *client_; }

 private:
  std::unique_ptr<TlsClient> client_;
  std::unique_ptr<TestConnection<Tls<Echo>>> server_;
};

class TlsMemory : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(All, TlsMemory, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION));

TEST_P(TlsMemory, IsFewKibWhenIdleAndNoneAfterwards) {
  ASSERT_TRUE(counted) << "OpenSSL has asked for memory before";
  constexpr std::size_t connections = 32;
  constexpr std::size_t goal = 20 * 1024;
  constexpr std::size_t ours = sizeof(Connection<Tls<Echo>>);
  const auto context =
      as(Side::server, [] { return std::make_shared<const TlsContext>(self_signed()); });
  Tls<Echo>::Shared shared(context);
  {
    Pair first(shared, GetParam());  // what OpenSSL makes once and keeps
    while (first.exchange()) {
    }
    first.say("a word");
  }
  const std::size_t before = account.of(Side::server);
  const auto each = [&] { return (account.of(Side::server) - before) / connections; };
  {
    std::vector<std::unique_ptr<Pair>> pairs;
    for (std::size_t count = 0; count < connections; ++count) {
      pairs.push_back(std::make_unique<Pair>(shared, GetParam()));
      pairs.back()->exchange();
    }
    const std::size_t begun = each();
    for (const auto& pair : pairs) {
      while (pair->exchange()) {
      }
      ASSERT_TRUE(pair->client().connected());
    }
    const std::size_t idle = each();
    const std::string text(16'000, 'x');
    for (const auto& pair : pairs) {
      pair->say(text);
      ASSERT_EQ(pair->client().text, text);
    }
    const std::size_t used = each();
    std::printf(
        "TLS 1.%d, bytes a connection: OpenSSL %zu in the handshake, %zu idle, %zu idle "
        "after traffic; the server %zu, so %.1f KiB idle in all\n",
        GetParam() == TLS1_3_VERSION ? 3 : 2, begun, idle, used, ours,
        static_cast<double>(used + ours) / 1024);
    EXPECT_GT(idle, 1000U) << "somebody counts wrong";
    EXPECT_LT(idle + ours, goal);
    EXPECT_LT(used + ours, goal);
  }
  EXPECT_EQ(account.of(Side::server), before) << "not everything was given back";
}

}  // namespace
}  // namespace lab::test
