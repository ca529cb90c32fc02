// The line protocol on a worker, over loopback: every hook of the seam on a real kernel.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "06-server/lib/protocol/lines.hpp"
#include "tests/server/support.hpp"
#include "tests/server/worker_thread.hpp"

namespace lab {
namespace {

/// A file without a name.
class MemoryFile {
 public:
  explicit MemoryFile(std::string content) : content_(std::move(content)) {
    check_errno(fd_.get(), "memfd_create");
    check_errno(ftruncate(fd_.get(), static_cast<off_t>(content_.size())), "ftruncate");
    for (std::size_t written = 0; written < content_.size();) {
      const ssize_t size = pwrite(fd_.get(), content_.data() + written, content_.size() - written,
                                  static_cast<off_t>(written));
      if (size <= 0) throw Failure("pwrite");
      written += static_cast<std::size_t>(size);
    }
  }
  LineFile named(std::string_view name) const { return {name, fd_.get(), content_.size()}; }
  const std::string& content() const { return content_; }
  void cut(std::size_t size) { check_errno(ftruncate(fd_.get(), static_cast<off_t>(size)), "cut"); }

 private:
  std::string content_;
  Fd fd_{memfd_create("lines", MFD_CLOEXEC)};
};

// No two pieces of it are alike.
std::string content(std::size_t size) {
  std::string text;
  text.reserve(size + 16);
  while (text.size() < size) text += fmt::format("{:07}\n", text.size());
  text.resize(size);
  return text;
}

constexpr std::size_t big_size = 5'000'000;

/// A worker, and the files that its clients can read.
struct LinesServer {
  explicit LinesServer(const WorkerOptions& options = ProtocolThread<Lines>::small(),
                       unsigned line_timeout_ms = 10'000)
      : worker(options, all_features(), &ProtocolThread<Lines>::TestedWorker::run,
               {.files = files, .line_timeout_ms = line_timeout_ms}) {}

  bool all_gone() {
    return eventually([&] { return worker.stat(Stat::closed) == worker.stat(Stat::accepted); });
  }

  MemoryFile big{content(big_size)};
  MemoryFile one{"1"};
  MemoryFile nothing{""};
  const std::array<LineFile, 3> files{big.named("big"), one.named("one"), nothing.named("nothing")};
  ProtocolThread<Lines> worker;
};

/// A client on a plain blocking socket, whose waits end after `patience`.
class LineClient {
 public:
  /// @param receive_buffer 0: the kernel's own
  explicit LineClient(const LinesServer& server, int receive_buffer = 0) {
    const Endpoint endpoint = resolve("127.0.0.1", server.worker.port());
    if (receive_buffer > 0) set(SO_RCVBUF, receive_buffer);
    // Before the time limits: with one, a ring's work for this thread would end it with EINTR.
    check_errno(connect(fd_.get(), reinterpret_cast<const sockaddr*>(&endpoint.address),
                        endpoint.address_size),
                "connect");
    const timeval limit{
        .tv_sec = std::chrono::duration_cast<std::chrono::seconds>(patience).count(), .tv_usec = 0};
    set(SO_RCVTIMEO, limit);
    set(SO_SNDTIMEO, limit);
    EXPECT_EQ(line(), "lines: say something");
  }

  /// @return false: the connection is broken
  bool send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0) {
        error_ = errno;
        return false;
      }
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  void finish() { check_errno(shutdown(fd_.get(), SHUT_WR), "shutdown"); }
  void close_with_reset() {
    set(SO_LINGER, linger{.l_onoff = 1, .l_linger = 0});
    fd_.reset();
  }

  /// Up to `size` bytes; fewer at the end or after an error.
  std::string bytes(std::size_t size) {
    while (unread_.size() < size && more()) {
    }
    std::string front = unread_.substr(0, size);
    unread_.erase(0, size);
    return front;
  }
  std::string line() {
    std::size_t end = 0;
    while ((end = unread_.find('\n')) == std::string::npos && more()) {
    }
    std::string front = unread_.substr(0, end);
    unread_.erase(0, end == std::string::npos ? end : end + 1);
    return front;
  }
  /// All that comes until the end, and whether that was a FIN.
  std::string rest() { return bytes(~std::size_t{0}); }
  bool ended() const { return ended_; }
  int error() const { return error_; }

  /// Waits until something has come, and does not read it.
  bool wait() const {
    pollfd one{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    return poll(&one, 1, Deadline(patience).left_ms()) == 1;
  }

 private:
  template <class Value>
  void set(int option, const Value& value) {
    check_errno(setsockopt(fd_.get(), SOL_SOCKET, option, &value, sizeof value), "setsockopt");
  }
  bool more() {
    std::array<char, 65536> piece;
    const ssize_t size = recv(fd_.get(), piece.data(), piece.size(), 0);
    if (size < 0 && errno == EINTR) return true;
    if (size == 0) ended_ = true;
    if (size < 0) error_ = errno;
    if (size > 0) unread_.append(piece.data(), static_cast<std::size_t>(size));
    return size > 0;
  }

  Fd fd_{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::string unread_;
  bool ended_ = false;
  int error_ = 0;
};

// Reads the head of an answer and the file behind it.
void expect_file(LineClient& client, unsigned number, std::string_view name,
                 const std::string& content) {
  EXPECT_EQ(client.line(), fmt::format("{}: {} bytes of {}", number, content.size(), name));
  const std::string got = client.bytes(content.size());
  EXPECT_TRUE(got == content) << got.size() << " of " << content.size() << " bytes";
}

// --- what is said ---

TEST(LinesOnAWorker, NumbersWhatItHears) {
  LinesServer server;
  LineClient client(server);
  LineClient other(server);
  for (unsigned number = 1; number <= 3; ++number) {
    client.send("hello\n");
    EXPECT_EQ(client.line(), fmt::format("{}: hello", number));
  }
  other.send("\n");
  EXPECT_EQ(other.line(), "1: ");
  EXPECT_TRUE(server.worker.finish());
}

// Each cut in turn: the first part has arrived before the second is sent.
TEST(LinesOnAWorker, PipelinedLinesInEveryCut) {
  LinesServer server;
  const std::string asked = "a\nread one\n\nread nothing\nread none\nlast\nbye\n";
  const std::string heard =
      "1: a\n2: 1 bytes of one\n13: \n4: 0 bytes of nothing\n5: no such file\n6: last\n7: bye\n";
  std::uint64_t sent = 0;
  for (std::size_t cut = 0; cut <= asked.size(); ++cut) {
    LineClient client(server);
    client.send(std::string_view(asked).substr(0, cut));
    sent += cut;
    ASSERT_TRUE(eventually([&] { return server.worker.stat(Stat::bytes_in) == sent; }));
    client.send(std::string_view(asked).substr(cut));
    sent += asked.size() - cut;
    ASSERT_EQ(client.rest(), heard) << "cut at " << cut;
    EXPECT_TRUE(client.ended());
  }
  EXPECT_TRUE(server.worker.finish());
}

TEST(LinesOnAWorker, FilesOfEverySizeComeWhole) {
  LinesServer server;
  LineClient client(server);
  client.send("read nothing\nread one\nread big\nread big\nhello\n");
  expect_file(client, 1, "nothing", "");
  expect_file(client, 2, "one", "1");
  expect_file(client, 3, "big", server.big.content());
  expect_file(client, 4, "big", server.big.content());
  EXPECT_EQ(client.line(), "5: hello");
  EXPECT_TRUE(server.worker.finish());
}

TEST(LinesOnAWorker, AFileThatHasShrunkEndsInAReset) {
  LinesServer server;
  server.big.cut(100'000);
  LineClient client(server);
  client.send("read big\n");
  client.rest();
  EXPECT_FALSE(client.ended()) << "the client would take it for whole";
  EXPECT_EQ(client.error(), ECONNRESET);
  EXPECT_TRUE(server.all_gone());
}

// --- ends ---

TEST(LinesOnAWorker, ByeIsTheLastThatIsAnswered) {
  LinesServer server;
  LineClient client(server);
  client.send("bye\nhello\n");
  EXPECT_EQ(client.line(), "1: bye");
  EXPECT_EQ(client.rest(), "");
  EXPECT_TRUE(server.all_gone());
}

TEST(LinesOnAWorker, WhoSendsNoMoreGetsAllAnswers) {
  LinesServer server;
  LineClient client(server);
  std::string asked;
  std::string heard;
  for (unsigned number = 1; number <= 2000; ++number) {
    asked += "hello\n";
    heard += fmt::format("{}: hello\n", number);
  }
  client.send(asked + "read big\nread big\nhalf a line");
  client.finish();
  EXPECT_EQ(client.bytes(heard.size()), heard);
  expect_file(client, 2001, "big", server.big.content());
  expect_file(client, 2002, "big", server.big.content());
  EXPECT_EQ(client.rest(), "");
  EXPECT_TRUE(client.ended());
  EXPECT_TRUE(server.all_gone());
}

// What it still sends comes when the server has said all and is not interested any more. Closing
// then would be a reset, and the answer that nobody has read would be lost.
TEST(LinesOnAWorker, WhoStillSendsReadsTheAnswerToALineThatIsTooLong) {
  LinesServer server;
  LineClient client(server);
  ASSERT_TRUE(client.send("hello\n" + std::string(Lines::line_max + 1, 'x')));
  EXPECT_EQ(client.line(), "1: hello");
  ASSERT_TRUE(client.wait());
  ASSERT_TRUE(client.send(std::string(big_size, 'x'))) << "errno " << client.error();
  EXPECT_EQ(client.line(), "2: too long");
  EXPECT_EQ(client.rest(), "");
  EXPECT_TRUE(client.ended()) << "errno " << client.error();
  // None of it took a buffer.
  EXPECT_LT(server.worker.stat(Stat::bytes_in), big_size);
  EXPECT_TRUE(server.all_gone());
}

TEST(LinesOnAWorker, WhoNeverStopsSendingIsNotHeardForEver) {
  LinesServer server;
  LineClient client(server);
  const std::string much(1 << 20, 'x');
  unsigned rounds = 0;
  while (client.send(much)) ASSERT_LT(++rounds, 1000U);
  EXPECT_TRUE(client.error() == ECONNRESET || client.error() == EPIPE) << client.error();
  EXPECT_TRUE(server.all_gone());
}

TEST(LinesOnAWorker, WhoStaysWithoutAWordIsNotWaitedForForEver) {
  LinesServer server;
  LineClient client(server);
  client.send(std::string(Lines::line_max + 1, 'x'));
  EXPECT_EQ(client.line(), "1: too long");
  EXPECT_TRUE(server.all_gone());
}

TEST(LinesOnAWorker, WhoDoesNotEndALineIsTooSlow) {
  LinesServer server(ProtocolThread<Lines>::small(), 100);
  LineClient slow(server);
  LineClient silent(server);
  slow.send("hel");
  EXPECT_EQ(slow.line(), "1: too slow");
  EXPECT_EQ(slow.rest(), "");
  EXPECT_TRUE(slow.ended());
  silent.send("hello\n");  // who has not begun a line is in time
  EXPECT_EQ(silent.line(), "1: hello");
  EXPECT_TRUE(server.worker.finish());
}

TEST(LinesOnAWorker, ADrainLetsFilesEnd) {
  LinesServer server;
  LineClient client(server, 64 << 10);
  LineClient idle(server);
  client.send("read big\n");
  ASSERT_TRUE(client.wait());  // it has begun, and the sockets do not take the whole
  server.worker.drain();
  EXPECT_EQ(idle.rest(), "");  // the drain has begun
  expect_file(client, 1, "big", server.big.content());
  EXPECT_EQ(client.rest(), "");
  EXPECT_TRUE(client.ended());
  EXPECT_TRUE(server.worker.join());
  EXPECT_EQ(server.worker.stat(Stat::drain_resets), 0U);
}

TEST(LinesOnAWorker, WhoGoesInTheMiddleOfAFileLeavesNothing) {
  LinesServer server;
  for (unsigned number = 0; number < 20; ++number) {
    LineClient client(server, 64 << 10);
    client.send("read big\nread big\n");
    client.bytes(number * 10'000);
    if (number % 2 == 0) client.close_with_reset();
  }
  EXPECT_TRUE(server.all_gone());
  EXPECT_TRUE(server.worker.finish());
}

// --- few buffers ---

WorkerOptions two_buffers() {
  WorkerOptions options = ProtocolThread<Lines>::small();
  options.pooled_count = 2;
  return options;
}

TEST(LinesOnAWorker, TwoBuffersServeEverybody) {
  LinesServer server(two_buffers());
  std::vector<LineClient> clients;
  for (unsigned number = 0; number < 20; ++number) clients.emplace_back(server);
  for (unsigned round = 0; round < 10; ++round) {
    for (LineClient& client : clients) client.send("hello\nread one\n");
    for (LineClient& client : clients) {
      EXPECT_EQ(client.line(), fmt::format("{}: hello", 2 * round + 1));
      expect_file(client, 2 * round + 2, "one", "1");
    }
  }
  clients.front().send("read big\n");
  expect_file(clients.front(), 21, "big", server.big.content());
  EXPECT_TRUE(server.worker.finish());
  EXPECT_EQ(server.worker.stat(Stat::shed), 0U);
}

// They hold both buffers with bytes that their sockets do not take.
TEST(LinesOnAWorker, WhoReadsNothingDoesNotKeepTheBuffers) {
  LinesServer server(two_buffers());
  std::vector<LineClient> greedy;
  for (unsigned number = 0; number < 6; ++number) {
    greedy.emplace_back(server, 4096);
    greedy.back().send("read big\nread big\n");
    ASSERT_TRUE(greedy.back().wait());
  }
  LineClient neighbour(server);
  for (unsigned number = 1; number <= 10; ++number) {
    neighbour.send("read one\n");
    expect_file(neighbour, number, "one", "1");
  }
  EXPECT_TRUE(eventually([&] { return server.worker.stat(Stat::shed) > 0; }));
  greedy.clear();
  EXPECT_TRUE(server.worker.finish());
}

}  // namespace
}  // namespace lab
