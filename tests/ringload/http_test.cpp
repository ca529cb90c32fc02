// ringload against web servers, right ones and wrong ones.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "05-performance/ringload/talk.hpp"
#include "tests/ringload/echo_servers.hpp"
#include "tests/ringload/run_program.hpp"

namespace lab {
namespace {

using testing::HasSubstr;

// A web server of one line: what it answers to the request with this number, over all connections.
class WebServer {
 public:
  using Answer = std::function<std::string(std::string_view path, unsigned number)>;
  explicit WebServer(Answer answer) : answer_(std::move(answer)) {}

  std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + server_.port() + path;
  }
  std::string last_request() const { return last_; }

 private:
  // REQUIRES: requests come whole, which small ones over loopback do.
  std::optional<std::string> reply(std::string_view text) {
    std::string replies;
    for (std::size_t end; (end = text.find("\r\n\r\n")) != std::string_view::npos;) {
      const std::string_view request = text.substr(0, end);
      text.remove_prefix(end + 4);
      const std::string_view path = request.substr(4, request.find(' ', 4) - 4);
      if (number_ == 0) last_ = request;
      replies += answer_(path, number_++);
    }
    if (replies.ends_with("(close)")) return std::nullopt;
    return replies;
  }

  Answer answer_;
  unsigned number_ = 0;
  std::string last_;
  TcpServer server_{
      {.instead = [this](std::string_view text, std::uint64_t) { return reply(text); }}};
};

std::string page(std::string_view body, std::string_view more = "") {
  return fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{}\r\n{}", body.size(), more, body);
}

std::vector<std::string> few(std::vector<std::string> words) {
  words.insert(words.end(), {"--count", "200", "--warmup", "0", "--connections", "4"});
  return words;
}

TEST(Http, EveryAnswerIsTheFirstOneButForItsDate) {
  const WebServer server([](std::string_view, unsigned number) {
    return page("hello", fmt::format("Date: Thu, 01 Jan 1970 00:00:{:02} GMT\r\n", number % 60));
  });
  for (const char* depth : {"1", "16"}) {
    const Ended run = ringload(few({server.url("/page"), "--depth", depth}));
    EXPECT_EQ(run.exit, 0) << run.all();
    EXPECT_THAT(run.output, HasSubstr("x GET, depth"));
  }
}

TEST(Http, WhatElseChangesIsAWrongAnswer) {
  const WebServer server([](std::string_view, unsigned number) {
    return page(number == 50 ? "hellO" : "hello", "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n");
  });
  const Ended run = ringload(few({server.url("/page")}));
  EXPECT_EQ(run.exit, 1) << run.all();
  EXPECT_THAT(run.output, HasSubstr("expected 0x6f, got 0x4f"));
}

TEST(Http, PathsAreAskedInTurnAndFieldsAreSent) {
  const WebServer server([](std::string_view path, unsigned) {
    return page(std::string(path.size() * 100, path.back()));
  });
  const Ended run = ringload(few({server.url("/a#part"), "--path", "/some/b", "--header",
                                  "Accept-Encoding: br", "--depth", "3"}));
  EXPECT_EQ(run.exit, 0) << run.all();
  EXPECT_THAT(server.last_request(), testing::StartsWith("GET /a HTTP/1.1\r\nHost: 127.0.0.1:"));
  EXPECT_THAT(server.last_request(), HasSubstr("\r\nAccept-Encoding: br"));
}

TEST(Http, AConnectionPerRequest) {
  const WebServer server([](std::string_view, unsigned) { return page("hello"); });
  const Ended run = ringload(few({server.url("/"), "--churn", "--linger-reset"}));
  EXPECT_EQ(run.exit, 0) << run.all();
  EXPECT_THAT(run.output, HasSubstr("each for 1 x GET, then a reset"));
}

TEST(Http, WhatNoLoadCanBeMadeOfIsRefusedWithItsCause) {
  const auto said = [](const std::string& answer) {
    const WebServer server([&](std::string_view, unsigned) { return answer; });
    const Ended run = ringload(few({server.url("/x"), "--patience", "1"}));
    EXPECT_EQ(run.exit, 2) << run.all();
    return run.errors;
  };
  EXPECT_THAT(said("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
              HasSubstr("GET /x: \"HTTP/1.1 404 Not Found\""));
  EXPECT_THAT(said("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
              HasSubstr("no Content-Length"));
  EXPECT_THAT(said("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
              HasSubstr("closes the connection after each answer"));
  EXPECT_THAT(said("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n1234"), HasSubstr("more bytes"));
  EXPECT_THAT(said("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n12"), HasSubstr("no more"));
  EXPECT_THAT(said("220 mail.example ESMTP\r\n\r\n"), HasSubstr("not HTTP/1"));
  EXPECT_THAT(said("(close)"), HasSubstr("closed the connection"));
}

TEST(Http, OptionsThatDoNotGoTogether) {
  const auto said = [](const std::vector<std::string>& words) {
    const Ended run = ringload(words);
    EXPECT_EQ(run.exit, 2) << run.all();
    return run.errors;
  };
  EXPECT_THAT(said({"https://127.0.0.1/"}), HasSubstr("speaks no TLS"));
  EXPECT_THAT(said({"http://127.0.0.1:1/", "--udp"}), HasSubstr("--udp"));
  EXPECT_THAT(said({"http://127.0.0.1:1/", "--stream"}), HasSubstr("--stream"));
  EXPECT_THAT(said({"http://127.0.0.1:1/", "--size", "5"}), HasSubstr("--size"));
  EXPECT_THAT(said({"127.0.0.1:1", "--path", "/x"}), HasSubstr("http://"));
  EXPECT_THAT(said({"http://127.0.0.1:1/", "--path", "x"}), HasSubstr("is no path"));
  EXPECT_THAT(said({"http://127.0.0.1:1/", "--header", "x"}), HasSubstr("is no header field"));
}

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

TEST(Talk, AChangeIsTakenWhereverAWindowCutsIt) {
  for (std::size_t cut = 1; cut < 20; ++cut) {
    Talk talk({{.question = bytes_of("q"),
                .answer = bytes_of("ab12cd"),
                .changing_begin = 2,
                .changing_size = 2}},
              64);
    const std::vector<std::byte> heard = bytes_of("ab34cdab34cdab34cd");
    const std::size_t first = std::min(cut, heard.size());
    EXPECT_TRUE(talk.hears(0, std::span(heard).first(first))) << cut;
    EXPECT_TRUE(talk.hears(talk.answer_after(0, first), std::span(heard).subspan(first))) << cut;
    EXPECT_FALSE(talk.hears(0, bytes_of("ab34cD"))) << cut;
    EXPECT_TRUE(talk.hears(0, bytes_of("ab34cdab56cd"))) << cut;
    EXPECT_FALSE(talk.hears(0, bytes_of("ab34cdaB56cd"))) << cut;
  }
}

}  // namespace
}  // namespace lab
