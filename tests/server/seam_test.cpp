// What the seam promises a protocol about its hooks and its end, where no shipped protocol shows
// it.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "06-server/lib/protocol/protocol.hpp"
#include "tests/server/support.hpp"
#include "tests/server/worker_thread.hpp"

namespace lab {
namespace {

/// Ends at the first bytes, in one way or the other, and counts what it is told after that.
template <bool Buffers, bool Reset>
struct EndsAtOnce : ProtocolDefaults {
  struct Shared {
    std::atomic<unsigned>* told_after = nullptr;
  };
  static constexpr bool uses_buffers = Buffers;

  explicit EndsAtOnce(Shared& common) noexcept : shared(common) {}
  void on_bytes(auto& io, Segment) noexcept {
    if (ended) {
      ++*shared.told_after;
      return;
    }
    ended = true;
    if constexpr (Reset) {
      io.reset();
    } else {
      io.finish(Finish::close);
    }
  }
  void on_end(auto&) noexcept { *shared.told_after += ended ? 1 : 0; }

  Shared& shared;
  bool ended = false;
};

// More segments than one come in one turn: one burst fills many small buffers.
template <bool Buffers, bool Reset>
void expect_silence_after_the_end() {
  using Ends = EndsAtOnce<Buffers, Reset>;
  WorkerOptions options = ProtocolThread<Ends>::small();
  options.buffer_size = 64;
  std::atomic<unsigned> told_after = 0;
  ProtocolThread<Ends> worker(options, all_features(), &ProtocolThread<Ends>::TestedWorker::run,
                              {&told_after});
  for (unsigned round = 0; round < 20; ++round) {
    Stream client = connect_to(worker.port());
    client.send(2000, soon());
    client.finish();
    ASSERT_TRUE(eventually([&] { return worker.stat(Stat::closed) == round + 1; }));
  }
  EXPECT_TRUE(worker.finish());
  // What comes after a reset is not counted where it is not kept.
  if (Buffers || !Reset) {
    EXPECT_GT(worker.stat(Stat::receives), 20U) << "nothing was tried";
  }
  EXPECT_EQ(told_after, 0U);
}

TEST(Seam, NoBytesAfterFinish) { expect_silence_after_the_end<false, false>(); }
TEST(Seam, NoBytesAfterFinishWithBuffers) { expect_silence_after_the_end<true, false>(); }
TEST(Seam, NoBytesAfterReset) { expect_silence_after_the_end<false, true>(); }
TEST(Seam, NoBytesAfterResetWithBuffers) { expect_silence_after_the_end<true, true>(); }

/// What the server still sends, to its FIN; a reset is a Failure.
std::string receive_all(const Stream& client) {
  std::string all;
  for (std::array<char, 4096> piece;;) {
    if (client.wait(POLLIN, soon()) == 0) throw Failure(client.name() + "nothing comes");
    const ssize_t size = recv(client.fd(), piece.data(), piece.size(), 0);
    if (size < 0) throw Failure(client.name() + "errno " + std::to_string(errno));
    if (size == 0) return all;
    all.append(piece.data(), static_cast<std::size_t>(size));
  }
}

/// Echoes what comes first, and then wants nothing more; its last word is "bye".
struct HasEnough : ProtocolDefaults {
  static constexpr bool uses_buffers = true;
  static constexpr std::string_view last_word = "bye";

  explicit HasEnough(Shared&) noexcept {}
  void on_bytes(auto& io, Segment bytes) noexcept {
    if (std::exchange(enough, true)) return io.unread(std::move(bytes));
    io.send(std::move(bytes));
  }
  void on_wind_up(auto& io) noexcept {
    io.send(Segment::stable(std::as_bytes(std::span(last_word))));
  }

  bool enough = false;
};

/// A client that was echoed one byte, and has sent more that nobody wants: some of it was received,
/// the rest waits in the socket.
Stream unwanted_client(const ProtocolThread<HasEnough>& worker) {
  Stream client = connect_to(worker.port());
  client.send(1, soon());
  client.receive(1, soon());
  const std::uint64_t before = worker.stat(Stat::receives);
  client.send(1, soon());
  EXPECT_TRUE(eventually([&] { return worker.stat(Stat::receives) > before; }));
  client.send(20'000, soon());
  return client;
}

TEST(Seam, ADrainEndsWhatWantsNoBytesBeforeItsDeadline) {
  WorkerOptions options = ProtocolThread<HasEnough>::small();
  options.drain_deadline_ms = 10'000;
  ProtocolThread<HasEnough> worker(options);
  Stream client = unwanted_client(worker);
  worker.drain();
  EXPECT_EQ(receive_all(client), HasEnough::last_word);
  client.close();
  EXPECT_TRUE(worker.join());
  EXPECT_EQ(worker.stat(Stat::drain_resets), 0U);
}

TEST(Seam, AnIdleTimeoutEndsWhatWantsNoBytes) {
  WorkerOptions options = ProtocolThread<HasEnough>::small();
  options.idle_timeout_ms = 1500;
  ProtocolThread<HasEnough> worker(options);
  Stream client = unwanted_client(worker);
  EXPECT_EQ(receive_all(client), HasEnough::last_word);
  client.close();
  EXPECT_TRUE(eventually([&] { return worker.stat(Stat::closed) == 1; }));
  EXPECT_EQ(worker.stat(Stat::idle_closed), 1U);
  EXPECT_TRUE(worker.finish());
}

TEST(Seam, WhoRestsSaysItsLastWord) {
  WorkerOptions options = ProtocolThread<HasEnough>::small();
  options.idle_timeout_ms = 200;
  ProtocolThread<HasEnough> idle(options);
  EXPECT_EQ(receive_all(connect_to(idle.port())), HasEnough::last_word);
  ProtocolThread<HasEnough> draining;
  Stream client = connect_to(draining.port());
  ASSERT_TRUE(eventually([&] { return draining.stat(Stat::accepted) == 1; }));
  draining.drain();
  EXPECT_EQ(receive_all(client), HasEnough::last_word);
  EXPECT_TRUE(draining.join());
  EXPECT_TRUE(idle.finish());
}

/// Says where its peer is: sixteen bytes.
struct SaysWhere : ProtocolDefaults {
  static constexpr bool uses_buffers = true;
  struct Shared {};
  explicit SaysWhere(Shared&) noexcept {}
  void on_open(auto& io) noexcept {
    const ClientAddress peer = io.peer();
    PooledBuffer buffer = io.take_buffer();
    std::memcpy(buffer.space().data(), peer.bytes().data(), peer.bytes().size());
    io.send(std::move(buffer).filled(16));
  }
  void on_bytes(auto&, Segment) noexcept {}
};
static_assert(Protocol<SaysWhere>);

std::string where(std::uint16_t port, const char* from) {
  const Fd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {}, .sin_zero = {}};
  EXPECT_EQ(inet_pton(AF_INET, from, &address.sin_addr), 1);
  EXPECT_EQ(bind(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  address.sin_port = htons(port);
  EXPECT_EQ(inet_pton(AF_INET, "127.0.0.1", &address.sin_addr), 1);
  EXPECT_EQ(connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  in6_addr told{};
  EXPECT_EQ(recv(client.get(), &told, sizeof told, MSG_WAITALL), 16);
  char text[INET6_ADDRSTRLEN] = {};
  return inet_ntop(AF_INET6, &told, text, sizeof text);
}

TEST(Seam, AProtocolIsToldWhereItsPeerIs) {
  WorkerOptions options = ProtocolThread<SaysWhere>::small();
  options.peer_addresses = true;
  ProtocolThread<SaysWhere> worker(options);
  for (unsigned last = 1; last < 200; ++last) {
    const std::string from = "127.0.0." + std::to_string(last);
    ASSERT_EQ(where(worker.port(), from.c_str()), "::ffff:" + from);
  }
  EXPECT_TRUE(worker.finish());
}

TEST(Seam, WhereNobodyAskedAPeerIsNowhere) {
  ProtocolThread<SaysWhere> worker;
  EXPECT_EQ(where(worker.port(), "127.0.0.9"), "::");
  EXPECT_TRUE(worker.finish());
}

}  // namespace
}  // namespace lab
