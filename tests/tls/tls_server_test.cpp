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
#include <filesystem>
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

// Only a hang exceeds its time.
Fd connected(std::uint16_t port) {
  Fd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval limit{.tv_sec = 60, .tv_usec = 0};
  setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    throw Failure("cannot connect");
  }
  return client;
}

/// A TlsClient on a socket.
class Connection {
 public:
  explicit Connection(std::uint16_t port, const TlsClientOptions& options = {})
      : client(options), socket_(connected(port)) {
    while (!client.connected() && receive()) {
    }
  }
  void flush() {
    const std::string records = client.take_records();
    if (records.empty()) return;  // a server that has ended takes not even that
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
  Fd socket_;
};

std::string text_of_size(std::size_t size) {
  std::string text(size, ' ');
  for (std::size_t at = 0; at < size; ++at) text[at] = static_cast<char>(at * 2654435761U >> 13U);
  return text;
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

// What lies under the name of a pair is another one now.
void replace(const TlsFiles::Pair& pair, const TlsFiles::Pair& by) {
  const auto over = std::filesystem::copy_options::overwrite_existing;
  std::filesystem::copy_file(by.certificate, pair.certificate, over);
  std::filesystem::copy_file(by.key, pair.key, over);
}

std::string name_seen_at(ServerProcess& server) {
  return Connection(server.port()).client.server_name();
}

TEST(TlsServer, AReloadIsForNewConnectionsAndKeepsSessions) {
  TlsFiles files;
  const TlsFiles::Pair pair = files.make({"old.test"}), next = files.make({"new.test"});
  ServerProcess server(with({"--tls-cert", pair.certificate, "--tls-key", pair.key}, "2"));
  Connection old(server.port());
  old.exchange("x");
  EXPECT_EQ(old.client.server_name(), "old.test");
  test::SessionPointer session = old.client.session();

  replace(pair, next);
  server.signal(SIGHUP);
  ASSERT_TRUE(server.logs("certificate with SHA-256 fingerprint ")) << server.log();
  EXPECT_TRUE(eventually([&] { return name_seen_at(server) == "new.test"; }));
  old.exchange("y");
  // Each worker resumes what another began before it, also one that started later.
  for (int round = 0; round < 4; ++round) {
    if (round == 2) {
      for (const pid_t worker : server.workers()) kill(worker, SIGKILL);
      for (int worker = 0; worker < 2; ++worker) ASSERT_TRUE(server.logs("serves again"));
      EXPECT_EQ(name_seen_at(server), "new.test");
    }
    Connection again(server.port(), {.session = session.get()});
    again.exchange("z");
    EXPECT_TRUE(again.client.resumed()) << round;
    session = again.client.session();
    again.end();
  }
  expect_drains(server);
}

TEST(TlsServer, ABrokenPairLeavesTheOldOneAndSaysWhy) {
  TlsFiles files;
  const TlsFiles::Pair pair = files.make({"old.test"}), next = files.make({"new.test"});
  ServerProcess server(with({"--tls-cert", pair.certificate, "--tls-key", pair.key}));
  EXPECT_EQ(name_seen_at(server), "old.test");
  std::filesystem::rename(pair.key, pair.key + ".away");
  server.signal(SIGHUP);
  ASSERT_TRUE(server.logs("the certificate stays as it was: the key " + pair.key +
                          " cannot be read: No such file or directory. Cure: "))
      << server.log();
  std::filesystem::copy_file(next.key, pair.key);
  server.signal(SIGHUP);
  ASSERT_TRUE(server.logs("the certificate stays as it was: the key " + pair.key +
                          " does not belong to the certificate " + pair.certificate + ". Cure: "))
      << server.log();
  EXPECT_EQ(name_seen_at(server), "old.test");
  replace(pair, next);
  server.signal(SIGHUP);
  ASSERT_TRUE(server.logs("certificate with SHA-256 fingerprint ")) << server.log();
  EXPECT_TRUE(eventually([&] { return name_seen_at(server) == "new.test"; }));
  expect_drains(server);
}

TEST(TlsServer, WithoutFilesAHangupDrains) {
  ServerProcess server(with({"--tls", "self-signed"}));
  server.port();
  server.signal(SIGHUP);
  const std::optional<Exit> end = server.wait();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, 0);
}

TEST(TlsServer, CountsWhatTlsDoes) {
  const StatsJson stats;
  ServerProcess server(with({"--tls", "self-signed", "--stats-json", stats.path()}, "2"));
  test::SessionPointer session;
  for (int round = 0; round < 3; ++round) {
    Connection connection(server.port(), {.session = session.get()});
    connection.exchange("x");
    session = connection.client.session();
    if (round < 2) connection.end();  // the last one goes without a word
  }
  {
    const Fd plain = connected(server.port());
    ASSERT_EQ(send(plain.get(), "hello\n", 6, MSG_NOSIGNAL), 6);
    char byte = 0;
    EXPECT_EQ(recv(plain.get(), &byte, 1, 0), 0) << "it is closed without a word";
  }
  expect_drains(server);
  const Json last = stats.lines().back();
  EXPECT_EQ(last["tls_handshakes"].number(), 3);
  EXPECT_EQ(last["tls_resumed"].number(), 2);
  EXPECT_EQ(last["tls_failed"]["plain_text"].number(), 1);
  EXPECT_EQ(last["tls_failed"]["late"].number(), 0);
  EXPECT_EQ(last["tls_truncated"].number(), 1);
  EXPECT_NE(server.log().find("tls_failed plain_text: 1 | tls_handshakes: 3 | tls_resumed: 2 | "
                              "tls_truncated: 1"),
            std::string::npos)
      << server.log();

  const StatsJson none;
  ServerProcess other(with({"--stats-json", none.path()}));
  other.port();
  expect_drains(other);
  EXPECT_FALSE(none.lines().back().has("tls_handshakes")) << "it speaks no TLS";
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
