// A file that is streamed and changes under the server: its connections end, and no body is wrong.

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include "01-core/lib/check.hpp"
#include "tests/http_server/http_client.hpp"
#include "tests/http_server/http_server_process.hpp"
#include "tests/site/site_fixture.hpp"

namespace lab {
namespace {

constexpr std::size_t size = 8 << 20;

class HttpChangingFile : public testing::Test {
 protected:
  HttpChangingFile() { folder_.write("large.bin", old_); }

  // Little is on its way at a time, so a change in the middle finds most of the file unread.
  ServerProcess::Setup streaming() const {
    return http_server(folder_.path(), {"--memory-limit-file", "1000", "--send-buffer", "65536"});
  }

  void overwrite(std::size_t offset, std::string_view bytes) const {
    const Fd file(
        check_errno(open(folder_.path("large.bin").c_str(), O_WRONLY | O_CLOEXEC), "open"));
    ASSERT_EQ(pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)),
              static_cast<ssize_t>(bytes.size()));
  }
  void resize(std::size_t bytes) const {
    ASSERT_EQ(truncate(folder_.path("large.bin").c_str(), static_cast<off_t>(bytes)), 0);
  }

  /// A download that has begun, while `change` happens.
  void expect_cut_by(const std::function<void()>& change) const {
    ServerProcess server(streaming());
    {
      HttpClient client(server.port(), 64 << 10);
      client.ask("/large.bin", "Connection: close\r\n");
      client.wait_for_bytes();
      change();
      expect_cut(client.rest());
    }
    expect_drains(server);
  }

  /// Bytes of what the file was, and not all of them.
  void expect_cut(const std::string& answer) const {
    const std::size_t head = answer.find("\r\n\r\n") + 4;
    ASSERT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer.substr(0, 100);
    ASSERT_LE(head, answer.size());
    EXPECT_LT(answer.size() - head, size);
    EXPECT_TRUE(old_.starts_with(answer.substr(head))) << "a body of two contents";
  }

  const Folder folder_;
  const std::string old_ = noise(size);
  const std::string new_ = std::string(old_.rbegin(), old_.rend());
};

TEST_F(HttpChangingFile, ThatIsOverwrittenWithTheSameSize) {
  expect_cut_by([&] { overwrite(0, new_); });
}

TEST_F(HttpChangingFile, OfWhichOneByteChanges) {
  expect_cut_by([&] { overwrite(size - 1, "?"); });
}

TEST_F(HttpChangingFile, ThatShrinks) {
  expect_cut_by([&] { resize(size / 2); });
}

TEST_F(HttpChangingFile, ThatGrows) {
  expect_cut_by([&] { resize(size + 1); });
}

TEST_F(HttpChangingFile, ThatIsReplacedStaysAsItWasToWhoHasBegun) {
  ServerProcess server(streaming());
  {
    HttpClient client(server.port(), 64 << 10);
    client.ask("/large.bin");
    client.wait_for_bytes();
    folder_.write(".new", new_);
    folder_.rename(".new", "large.bin");
    EXPECT_TRUE(client.answer().body == old_);
    server.signal(SIGHUP);
    EXPECT_TRUE(eventually([&] { return client.get("/large.bin").body == new_; }));
  }
  expect_drains(server);
}

TEST_F(HttpChangingFile, ConditionsAreOfWhatItWasUntilItIsReadAnew) {
  ServerProcess server(streaming());
  HttpClient client(server.port());
  client.ask("/large.bin", "", "HEAD");
  const std::string tag = *client.answer(true).field("ETag");
  overwrite(0, new_);
  EXPECT_EQ(client.get("/large.bin", "If-None-Match: " + tag + "\r\n").status, 304);
  EXPECT_EQ(client.get("/large.bin", "If-Match: \"another\"\r\n").status, 412);
  {
    HttpClient other(server.port());
    other.ask("/large.bin", "Connection: close\r\nRange: bytes=0-99\r\nIf-Range: " + tag + "\r\n");
    const std::string part = other.rest();
    EXPECT_TRUE(part.empty() || part.ends_with("\r\n\r\n")) << "bytes that the tag is not of";
  }
  server.signal(SIGHUP);
  ASSERT_TRUE(server.logs("reading anew"));
  EXPECT_TRUE(eventually(
      [&] { return client.get("/large.bin", "If-None-Match: " + tag + "\r\n").status == 200; }));
  const test::HttpAnswer whole =
      client.get("/large.bin", "Range: bytes=0-99\r\nIf-Range: " + tag + "\r\n");
  EXPECT_EQ(whole.status, 200);
  EXPECT_TRUE(whole.body == new_);
  EXPECT_NE(*whole.field("ETag"), tag);
  EXPECT_EQ(client.get("/large.bin", "If-Match: " + tag + "\r\n").status, 412);
  expect_drains(server);
}

}  // namespace
}  // namespace lab
