// What a web client hears when it comes too often, or may not come at all.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <csignal>
#include <future>
#include <thread>

#include "tests/http_server/http_client.hpp"
#include "tests/http_server/http_server_process.hpp"
#include "tests/server/sources.hpp"
#include "tests/site/site_fixture.hpp"

namespace lab {
namespace {

class HttpRates : public testing::Test {
 protected:
  HttpRates() { folder_.write("index.html", "hello"); }

  ServerProcess::Setup with(std::vector<std::string> flags) const {
#ifdef LAB_TEST_PORTABLE
    flags.insert(flags.end(), {"--backend", "portable"});
#endif
    return http_server(folder_.path(), std::move(flags));
  }

  Folder folder_;
};

std::string field(const test::HttpAnswer& answer, const std::string& name) {
  const std::string* value = answer.field(name);
  return value != nullptr ? *value : "";
}

// What a connection hears that is not let in: the same bytes for all, without a Date.
std::string refusal_text(const std::string& status, const std::string& fields) {
  return fmt::format(
      "HTTP/1.1 {0}\r\nConnection: close\r\n{1}Content-Type: text/plain\r\nContent-Length: {2}"
      "\r\n\r\n{0}\n",
      status, fields, status.size() + 1);
}

// That, and then FIN.
void expect_refusal(HttpClient& client, const std::string& status, const std::string& fields) {
  EXPECT_EQ(client.rest(), refusal_text(status, fields));
  EXPECT_TRUE(client.ended());
}

// Stops a process again and again while it lives: each of its ticks is late.
class Stalls {
 public:
  explicit Stalls(pid_t process)
      : thread_([process, ended = ended_.get_future()] {
          do {
            kill(process, SIGSTOP);
            std::this_thread::sleep_for(80ms);
            kill(process, SIGCONT);
          } while (ended.wait_for(5ms) == std::future_status::timeout);
        }) {}
  ~Stalls() {
    ended_.set_value();
    thread_.join();
  }
  Stalls(const Stalls&) = delete;
  Stalls& operator=(const Stalls&) = delete;

 private:
  std::promise<void> ended_;
  std::thread thread_;
};

TEST_F(HttpRates, ARequestTooManyGets429AndTheConnectionStays) {
  ServerProcess server(with({"--rate", "2/s", "--burst", "3"}));
  HttpClient client(server.port());
  const Allowance allowance(2, 3);
  unsigned served = 0;
  for (;; ++served) {
    const test::HttpAnswer answer = client.get("/");
    if (answer.status != 200) {
      EXPECT_EQ(answer.status, 429);
      EXPECT_EQ(field(answer, "Retry-After"), "1");
      EXPECT_EQ(field(answer, "Connection"), "");
      EXPECT_EQ(answer.body, "429 Too Many Requests\n");
      break;
    }
    ASSERT_LT(served, 10'000U) << "it never comes";
  }
  EXPECT_GE(served, allowance.least()) << "the first request is one with its connection";
  EXPECT_LE(served, allowance.most());
  // As the answer says.
  EXPECT_TRUE(eventually([&] { return client.get("/").status == 200; }));
  client.ask("/", "", "HEAD");
  client.answer(true);
}

TEST_F(HttpRates, AConnectionTooManyIsToldAndEnds) {
  ServerProcess server(with({"--max-connections-per-client", "1"}));
  HttpClient first(server.port());
  EXPECT_EQ(first.get("/").status, 200);
  HttpClient second(server.port());
  expect_refusal(second, "429 Too Many Requests", "Retry-After: 1\r\n");  // before it has asked
  EXPECT_EQ(first.get("/").status, 200);
  first.reset();
  EXPECT_TRUE(eventually([&] {
    HttpClient third(server.port());
    third.ask("/", "Connection: close\r\n");
    return third.rest().starts_with("HTTP/1.1 200");
  }));
  expect_drains(server);
}

TEST_F(HttpRates, TheRefusalIsReadWholeByWhoStillSends) {
  ServerProcess server(with({"--max-connections-per-client", "1"}));
  HttpClient first(server.port());
  EXPECT_EQ(first.get("/").status, 200);
  HttpClient sender(server.port());
  const std::string body(5 << 20, 'x');
  sender.send(fmt::format("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", body.size()));
  sender.send(body);  // all of it, before it looks for an answer
  expect_refusal(sender, "429 Too Many Requests", "Retry-After: 1\r\n");
}

TEST_F(HttpRates, ADeniedNetworkGets403) {
  ServerProcess server(with({"--deny", "127.0.0.0/24"}));
  HttpClient denied(server.port());
  expect_refusal(denied, "403 Forbidden", "");
  const Fd other = connect_from(source(0), server.port());
  const std::string_view request = "GET / HTTP/1.0\r\n\r\n";
  ASSERT_EQ(send(other.get(), request.data(), request.size(), MSG_NOSIGNAL),
            ssize_t(request.size()));
  char heard[12] = {};
  EXPECT_EQ(recv(other.get(), heard, sizeof heard, MSG_WAITALL), ssize_t(sizeof heard));
  EXPECT_EQ(std::string(heard, sizeof heard), "HTTP/1.1 200");
}

TEST_F(HttpRates, AWorkerThatIsBehindSays503ToWhoComesAndServesWhoIsInside) {
  const StatsJson stats;
  ServerProcess server(
      with({"--workers", "1", "--max-delay-ms", "20", "--stats-json", stats.path()}));
  const std::uint16_t port = server.port();
  const auto heard = [&] {
    HttpClient client(port);
    client.ask("/", "Connection: close\r\n");
    return client.rest();
  };
  const auto served = [&] { return heard().starts_with("HTTP/1.1 200"); };
  EXPECT_TRUE(eventually(served));  // a busy machine makes it wait, too
  {
    const Stalls stalls(server.workers().front());
    const std::string refused = refusal_text("503 Service Unavailable", "Retry-After: 1\r\n");
    EXPECT_TRUE(eventually([&] { return heard() == refused; }));
  }
  EXPECT_TRUE(eventually(served)) << "it is in time again";
  server.signal(SIGUSR1);
  EXPECT_TRUE(stats.shows([](const Json& line) {
    return line["limit_refused"]["delay"].number() >= 1 &&
           line["limit_refused"]["total"].number() == 0;
  }));
  expect_drains(server);
}

TEST_F(HttpRates, BeforeTlsThereAreNoWordsAndAfterItThereAre) {
  ServerProcess server(with({"--tls", "self-signed", "--max-connections-per-client", "1", "--rate",
                             "1/s", "--burst", "2"}));
  HttpClient first(server.port(), 0, test::TlsClientOptions{});
  EXPECT_EQ(first.get("/").status, 200);
  const Fd second = connect_from("127.0.0.1", server.port());
  char byte = 0;
  EXPECT_EQ(recv(second.get(), &byte, 1, 0), 0) << "FIN, and nothing before it";
  test::HttpAnswer answer = first.get("/");
  while (answer.status == 200) answer = first.get("/");
  EXPECT_EQ(answer.status, 429);
}

TEST_F(HttpRates, AreCounted) {
  const StatsJson stats;
  ServerProcess server(with({"--rate", "1/s", "--burst", "1", "--stats-json", stats.path()}));
  HttpClient client(server.port());
  unsigned served = 0;
  while (client.get("/").status == 200) ++served;
  server.signal(SIGUSR1);
  EXPECT_TRUE(stats.shows([&](const Json& line) {
    return line["limit_connections"].number() == 1 &&
           line["limit_requests"].number() == served - 1 &&
           line["limit_requests_refused"].number() == 1 &&
           line["http_answers"]["429"].number() == 1;
  }));
}

}  // namespace
}  // namespace lab
