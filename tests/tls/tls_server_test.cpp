// echo-server with TLS, over the ring: content, resumption by any worker, a drain, openssl's own
// client, and what is said of wrong options.

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "02-files/lib/fd.hpp"
#include "tests/server/server_process.hpp"
#include "tests/tls/tls_client.hpp"

namespace lab {
namespace {

using test::TlsClient;
using test::TlsClientOptions;
using test::TlsFiles;

std::vector<std::string> with(std::vector<std::string> named, const std::string& workers = "1") {
  std::vector<std::string> all{"--port",         "0",  "--workers",     workers,
                               "--connections",  "64", "--buffer-size", "4096",
                               "--buffer-count", "256"};
  all.insert(all.end(), named.begin(), named.end());
  return all;
}

/// A TlsClient on a socket. Only a hang exceeds its time.
class Connection {
 public:
  explicit Connection(std::uint16_t port, const TlsClientOptions& options = {}) : client(options) {
    const timeval limit{.tv_sec = 60, .tv_usec = 0};
    setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      throw Failure("cannot connect");
    }
    while (!client.connected() && receive()) {
    }
  }
  void flush() {
    const std::string records = client.take_records();
    EXPECT_EQ(send(socket_.get(), records.data(), records.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(records.size()));
  }
  /// @return false at the end of what the server sends
  bool receive() {
    flush();
    std::string bytes(65536, '\0');
    const ssize_t count = recv(socket_.get(), bytes.data(), bytes.size(), 0);
    if (count <= 0) return false;
    client.feed({bytes.data(), static_cast<std::size_t>(count)});
    return true;
  }
  /// What is sent comes back, in turns: no buffer between holds it all.
  void exchange(const std::string& text) {
    const std::size_t piece = 10'000;
    const std::size_t before = client.text.size();
    for (std::size_t at = 0; at < text.size(); at += piece) {
      client.write(std::string_view(text).substr(at, piece));
      while (client.text.size() < before + std::min(at + piece, text.size()) && receive()) {
      }
    }
    EXPECT_TRUE(client.text.substr(before) == text) << client.text.size() - before;
  }
  void end() {
    client.close_notify();
    while (receive()) {
    }
    EXPECT_TRUE(client.got_close_notify());
  }

  TlsClient client;

 private:
  Fd socket_{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
};

std::string text_of_size(std::size_t size) {
  std::string text(size, ' ');
  for (std::size_t at = 0; at < size; ++at) text[at] = static_cast<char>(at * 2654435761U >> 13U);
  return text;
}

void expect_drains(ServerProcess& server) {
  server.signal(SIGTERM);
  const std::optional<Exit> end = server.wait();
  ASSERT_TRUE(end);
  EXPECT_TRUE(end->exited);
  EXPECT_EQ(end->code, 0) << server.log();
}

TEST(TlsServer, EchoesMegabytes) {
  ServerProcess server(with({"--tls", "self-signed"}));
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Connection connection(server.port(), {.version = version});
    connection.exchange(text_of_size(1 << 20));
    connection.end();
  }
  expect_drains(server);
}

TEST(TlsServer, AnyWorkerResumesAnySession) {
  ServerProcess server(with({"--tls", "self-signed"}, "3"));
  test::SessionPointer session;
  for (int round = 0; round < 50; ++round) {
    Connection connection(server.port(), {.session = session.get()});
    connection.exchange("x");
    EXPECT_EQ(connection.client.resumed(), round > 0) << round;
    connection.end();
    session = connection.client.session();
  }
  expect_drains(server);
}

TEST(TlsServer, ADrainSaysCloseNotify) {
  ServerProcess server(with({"--tls", "self-signed"}));
  Connection connection(server.port());
  connection.exchange("x");
  server.signal(SIGTERM);
  while (connection.receive()) {
  }
  EXPECT_TRUE(connection.client.got_close_notify());
  const std::optional<Exit> end = server.wait();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, 0) << server.log();
}

TEST(TlsServer, AnIdleTimeoutSaysCloseNotify) {
  ServerProcess server(with({"--tls", "self-signed", "--idle-timeout-ms", "1500"}));
  Connection connection(server.port());
  connection.exchange("x");
  while (connection.receive()) {
  }
  EXPECT_TRUE(connection.client.got_close_notify());
  expect_drains(server);
}

std::string read_all(std::FILE* pipe, const std::string& until = {}) {
  std::string said;
  while (until.empty() || said.find(until) == std::string::npos) {
    const int one = std::fgetc(pipe);
    if (one == EOF) break;
    said += static_cast<char>(one);
  }
  return said;
}

TEST(TlsServer, OpensslsClientGetsItsLineBack) {
  TlsFiles files;
  const std::string input = files.folder() + "/input";
  ASSERT_EQ(mkfifo(input.c_str(), 0600), 0);
  ServerProcess server(with({"--tls", "self-signed"}));
  std::FILE* const client =
      popen(fmt::format("openssl s_client -connect 127.0.0.1:{} -quiet -no_ign_eof <{} 2>/dev/null",
                        server.port(), input)
                .c_str(),
            "re");
  ASSERT_NE(client, nullptr);
  {
    const Fd line(open(input.c_str(), O_WRONLY | O_CLOEXEC));
    ASSERT_EQ(write(line.get(), "hello\n", 6), 6);
    EXPECT_EQ(read_all(client, "\n"), "hello\n");
  }
  pclose(client);
  expect_drains(server);
}

TEST(TlsServer, TheLogHasTheFingerprintThatAClientSees) {
  ServerProcess server(with({"--tls", "self-signed"}));
  std::FILE* const pipe =
      popen(fmt::format("openssl s_client -connect 127.0.0.1:{} </dev/null 2>/dev/null | openssl "
                        "x509 -noout -fingerprint -sha256",
                        server.port())
                .c_str(),
            "re");
  ASSERT_NE(pipe, nullptr);
  const std::string said = read_all(pipe);
  pclose(pipe);
  const std::size_t equals = said.find('=');
  ASSERT_NE(equals, std::string::npos) << said;
  EXPECT_NE(server.log().find("SHA-256 fingerprint " + said.substr(equals + 1, 95)),
            std::string::npos);
  expect_drains(server);
}

TEST(TlsServer, WrongOptions) {
  TlsFiles files;
  const TlsFiles::Pair one = files.make({"one.test"}), two = files.make({"two.test"});
  struct Case {
    std::vector<std::string> flags;
    int code;
    std::string words;
  };
  const Case cases[] = {
      {{"--tls-cert", one.certificate}, 2, "has no key"},
      {{"--tls-key", one.key}, 2, "has no certificate"},
      {{"--tls", "self-signed", "--tls-cert", one.certificate, "--tls-key", one.key}, 2, "or the"},
      {{"--tls-min", "1.3"}, 2, "without a certificate"},
      {{"--tls-min", "1.1", "--tls", "self-signed"}, 2, "--tls-min"},
      {{"--tls-cert", files.folder() + "/none", "--tls-key", one.key}, 1, "No such file"},
      {{"--tls-cert", one.certificate, "--tls-key", two.key}, 1, "does not belong"},
      {{"--tls", "self-signed", "--tls-client-ca", one.key}, 1, "no authority"},
  };
  for (const auto& [flags, code, words] : cases) {
    ServerProcess server(with(flags));
    const std::optional<Exit> end = server.wait();
    ASSERT_TRUE(end);
    EXPECT_TRUE(end->exited);
    EXPECT_EQ(end->code, code) << server.log();
    EXPECT_NE(server.log().find(words), std::string::npos) << server.log();
    EXPECT_NE(server.log().find("echo-server: "), std::string::npos) << server.log();
  }
}

TEST(TlsServer, ServesFiles) {
  TlsFiles files;
  const TlsFiles::Pair one = files.make({"one.test"}), two = files.make({"two.test"});
  ServerProcess server(
      with({"--tls-cert", one.certificate, "--tls-key", one.key, "--tls-cert", two.certificate,
            "--tls-key", two.key, "--tls-min", "1.3", "--tls-strict-sni"}));
  Connection connection(server.port(), {.name = "two.test"});
  EXPECT_EQ(connection.client.server_name(), "two.test");
  connection.exchange("x");
  connection.end();
  EXPECT_EQ(Connection(server.port(), {.name = "three.test"}).client.alert(),
            SSL_AD_UNRECOGNIZED_NAME);
  expect_drains(server);
}

}  // namespace
}  // namespace lab
