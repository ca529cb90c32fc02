// Lines of the access log: their form, and that no request can break it.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "06-server/lib/limits/address_text.hpp"
#include "06-server/lib/protocol/http/access_line.hpp"
#include "06-server/lib/protocol/http/access_log.hpp"
#include "06-server/lib/protocol/http/forwarded.hpp"
#include "tests/server/json.hpp"

namespace lab {
namespace {

ClientAddress address(std::string_view text) {
  const auto parsed = parse_address(text);
  EXPECT_TRUE(parsed) << text;
  return parsed.value_or(ClientAddress());
}

constexpr std::int64_t some_second = 1'796'020'161;  // Monday, 30 November 2026, 06:29:21

std::string line_of(LogFormat format, std::string_view head, const AnswerEnd& end,
                    std::string_view peer = "192.0.2.7") {
  AccessLine line;
  line.begin(format, address(peer), {}, head);
  std::string space(AccessLine::bytes_max, '?');
  LogTime time(format);
  space.resize(line.write(space, time.at(some_second), end));
  return space;
}

Json read_json(std::string_view line) {
  EXPECT_TRUE(line.ends_with('\n'));
  return JsonReader::read(line.substr(0, line.size() - 1));
}

constexpr AnswerEnd ok{.status = Status::ok, .body_bytes = 512, .duration_ns = 1'234'567};
constexpr std::string_view request =
    "GET /a?b=c HTTP/1.1\r\nHost: example.org\r\nREFERER: http://r/\r\nUser-Agent:  curl/8 "
    "\r\n\r\n";

TEST(AccessLine, HasTheFormsThatToolsKnow) {
  EXPECT_EQ(line_of(LogFormat::common, request, ok),
            "192.0.2.7 - - [30/Nov/2026:06:29:21 +0000] \"GET /a?b=c HTTP/1.1\" 200 512\n");
  EXPECT_EQ(line_of(LogFormat::combined, request, ok, "2001:db8::1"),
            "2001:db8::1 - - [30/Nov/2026:06:29:21 +0000] \"GET /a?b=c HTTP/1.1\" 200 512 "
            "\"http://r/\" \"curl/8\"\n");
  EXPECT_EQ(line_of(LogFormat::json, request, ok),
            "{\"time\":\"2026-11-30T06:29:21Z\",\"client\":\"192.0.2.7\",\"method\":\"GET\","
            "\"target\":\"/a?b=c\",\"protocol\":\"HTTP/1.1\",\"status\":200,\"bytes\":512,"
            "\"duration_us\":1234,\"cut\":false,\"host\":\"example.org\","
            "\"referer\":\"http://r/\",\"user_agent\":\"curl/8\"}\n");
}

TEST(AccessLine, WhatIsMissingIsADash) {
  const AnswerEnd refused{.status = Status::bad_request};
  EXPECT_EQ(line_of(LogFormat::combined, "", refused),
            "192.0.2.7 - - [30/Nov/2026:06:29:21 +0000] \"-\" 400 0 \"-\" \"-\"\n");
  const Json json = read_json(line_of(LogFormat::json, "\r\n\r\nGET", refused));
  EXPECT_EQ(json["method"].text(), "GET");
  EXPECT_EQ(json["target"].text(), "");
}

// What is between the quotes of a line in combined, or the value of a JSON string, unescaped.
std::vector<std::string> quoted_parts(const std::string& line) {
  std::vector<std::string> parts;
  std::size_t at = 0;
  while ((at = line.find('"', at)) != std::string::npos) {
    const std::size_t end = line.find('"', at + 1);
    EXPECT_NE(end, std::string::npos) << line;
    if (end == std::string::npos) break;
    parts.push_back(line.substr(at + 1, end - at - 1));
    at = end + 1;
  }
  return parts;
}

TEST(AccessLine, NoByteBreaksALine) {
  for (unsigned value = 0; value < 256; ++value) {
    for (const std::string after : {"x", "\"", "\\", "\x80", ""}) {
      const std::string bytes = std::string(1, static_cast<char>(value)) + after;
      if (bytes.find('\n') != std::string::npos) continue;  // it ends the line of a head
      const std::string head = "GET /" + bytes + " HTTP/1.1\r\nUser-Agent: a" + bytes +
                               "z\r\nReferer: a" + bytes + "z\r\n\r\n";
      const std::string combined = line_of(LogFormat::combined, head, ok);
      ASSERT_EQ(combined.find('\n'), combined.size() - 1) << value;
      ASSERT_EQ(quoted_parts(combined).size(), 3U) << value << combined;
      for (const char c : combined)
        ASSERT_TRUE((c >= 0x20 && c < 0x7f) || c == '\n') << value << combined;

      const std::string json = line_of(LogFormat::json, head, ok);
      ASSERT_EQ(json.find('\n'), json.size() - 1) << value;
      ASSERT_NO_THROW(read_json(json)) << value << json;
      for (const char c : json) ASSERT_FALSE(static_cast<unsigned char>(c) < 0x20 && c != '\n');
    }
  }
}

std::string escaped(LogFormat format, std::string_view raw, std::size_t most = 100) {
  std::array<char, 128> space;
  LogText text(space);
  text.escaped(raw, format, most);
  return {space.data(), text.size()};
}

TEST(LogText, JsonKeepsUtf8AndMarksWhatIsNone) {
  EXPECT_EQ(escaped(LogFormat::json, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
            "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
  struct Case {
    std::string_view raw;
    std::string_view shown;
  };
  for (const Case& one : std::initializer_list<Case>{
           {"\xff", "\\ufffd"},
           {"\xc3", "\\ufffd"},
           {"\xc0\x80", "\\ufffd\\ufffd"},                        // overlong
           {"\xe0\x9f\x80", "\\ufffd\\ufffd\\ufffd"},             // overlong
           {"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"},             // a surrogate
           {"\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"},  // beyond the last
           {"\xe2\x82", "\\ufffd\\ufffd"},
           {"\xe2\x82z", "\\ufffd\\ufffdz"},
           {"\xc2\x9b", "\\u009b"},  // begins commands of terminals
           {"\x1b\x7f", "\\u001b\\u007f"},
           {"a\"b\\c", "a\\\"b\\\\c"}}) {
    EXPECT_EQ(escaped(LogFormat::json, one.raw), one.shown);
  }
  EXPECT_EQ(escaped(LogFormat::combined, "\xc3\xa4\"\\\t"), "\\xc3\\xa4\\x22\\x5c\\x09");
}

TEST(LogText, WhatIsTooLongIsCutBetweenCharacters) {
  EXPECT_EQ(escaped(LogFormat::common, "0123456", 10), "0123456");
  EXPECT_EQ(escaped(LogFormat::common, "01234567", 10), "0123456...");
  for (std::size_t plain = 0; plain < 30; ++plain) {
    for (const char* odd : {"\n", "\xc3\xa4", "\"", "\xff", "\xf0\x9f\x98\x80"}) {
      std::string raw(plain, 'a');
      for (unsigned times = 0; times < 20; ++times) raw += odd;
      for (const LogFormat format : {LogFormat::common, LogFormat::json}) {
        const std::string shown = escaped(format, raw, 24);
        ASSERT_LE(shown.size(), 24U);
        ASSERT_TRUE(shown.ends_with("...")) << shown;
        if (format == LogFormat::json) {
          ASSERT_NO_THROW(JsonReader::read("{\"a\":\"" + shown + "\"}"));
        }
      }
    }
  }
}

TEST(AccessLine, TheLongestFits) {
  for (const char filling : {'a', '\x01', '"', '\xff'}) {
    const std::string much(20'000, filling);
    const std::string head = "GET /" + much + " HTTP/1.1\r\nHost: " + much +
                             "\r\nReferer: " + much + "\r\nUser-Agent: " + much + "\r\n\r\n";
    const AnswerEnd longest{.status = Status::ok,
                            .body_bytes = ~std::uint64_t{0},
                            .duration_ns = ~std::uint64_t{0},
                            .cut = true};
    for (const LogFormat format : {LogFormat::common, LogFormat::combined, LogFormat::json}) {
      const std::string line =
          line_of(format, head, longest, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
      EXPECT_LE(line.size(), AccessLine::bytes_max);
      EXPECT_TRUE(line.ends_with(format == LogFormat::json ? "\"}\n" : "\n"));
      if (format == LogFormat::json) {
        EXPECT_TRUE(read_json(line)["cut"].boolean());
      }
    }
  }
}

TEST(AddressText, IsReadAndWritten) {
  struct Case {
    std::string_view text;
    std::string_view written;  ///< empty: it is none
  };
  for (const Case& one : std::initializer_list<Case>{{"192.0.2.1", "192.0.2.1"},
                                                     {"192.0.2.1:80", "192.0.2.1"},
                                                     {"255.255.255.255", "255.255.255.255"},
                                                     {"2001:db8::1", "2001:db8::1"},
                                                     {"[2001:db8::1]", "2001:db8::1"},
                                                     {"[2001:db8::1]:80", "2001:db8::1"},
                                                     {"::ffff:192.0.2.1", "192.0.2.1"},
                                                     {"::", "::"},
                                                     {"", ""},
                                                     {"unknown", ""},
                                                     {"192.0.2", ""},
                                                     {"192.0.2.256", ""},
                                                     {"[192.0.2.1]", ""},
                                                     {"[2001:db8::1", ""},
                                                     {"2001:db8::1::", ""},
                                                     {"host.example.org:80", ""}}) {
    const auto parsed = parse_address(one.text);
    ASSERT_EQ(parsed.has_value(), !one.written.empty()) << one.text;
    if (!parsed) continue;
    std::array<char, address_text_max> space;
    EXPECT_EQ(std::string_view(space.data(), write_address(space, *parsed)), one.written);
  }
}

TEST(Forwarded, TheRightmostWhoIsNotTrusted) {
  std::vector<NetworkPrefix> trusted(2);
  ASSERT_EQ(parse_network("10.0.0.0/8", trusted[0]), "");
  ASSERT_EQ(parse_network("2001:db8::/32", trusted[1]), "");
  struct Case {
    std::string_view peer;
    std::vector<std::string_view> lists;
    std::string_view client;
  };
  for (const Case& one : std::initializer_list<Case>{
           {"192.0.2.1", {"198.51.100.1"}, "192.0.2.1"},  // whoever says it is nobody's proxy
           {"10.1.1.1", {}, "10.1.1.1"},
           {"10.1.1.1", {""}, "10.1.1.1"},
           {"10.1.1.1", {"198.51.100.1"}, "198.51.100.1"},
           {"10.1.1.1", {"6.6.6.6, 198.51.100.1"}, "198.51.100.1"},
           {"10.1.1.1", {"6.6.6.6", "198.51.100.1"}, "198.51.100.1"},
           {"10.1.1.1", {"198.51.100.1, 10.2.2.2 ,, 2001:db8::5"}, "198.51.100.1"},
           {"10.1.1.1", {"198.51.100.1", "10.2.2.2"}, "198.51.100.1"},
           {"10.1.1.1", {"10.3.3.3, 10.2.2.2"}, "10.3.3.3"},  // all are proxies
           {"10.1.1.1", {"198.51.100.1, unknown, 10.2.2.2"}, "10.2.2.2"},
           {"10.1.1.1", {"198.51.100.1:4711"}, "198.51.100.1"},
           {"2001:db8::1", {"[2001:db9::1]:80"}, "2001:db9::1"}}) {
    EXPECT_EQ(forwarded_client(address(one.peer), trusted, one.lists), address(one.client))
        << one.peer << " " << one.client;
  }
}

TEST(AccessLine, AsksTrustedProxiesWhoTheClientIs) {
  std::vector<NetworkPrefix> trusted(1);
  ASSERT_EQ(parse_network("10.0.0.0/8", trusted[0]), "");
  std::string head = "GET / HTTP/1.1\r\n";
  for (unsigned line = 0; line < 20; ++line) head += "X-Forwarded-For: 6.6.6.6\r\n";
  head += "x-forwarded-for: 198.51.100.1\r\nX-Forwarded-For: 10.2.2.2\r\n\r\n";
  AccessLine line;
  line.begin(LogFormat::common, address("10.1.1.1"), trusted, head);
  std::string space(AccessLine::bytes_max, '?');
  line.write(space, "now", ok);
  EXPECT_TRUE(space.starts_with("198.51.100.1 - - [now] ")) << space.substr(0, 80);
}

TEST(AccessLog, WhatHasNoRoomIsLostAndCounted) {
  std::array<Counter, line_losses> losses;
  const auto slow = [&] { return losses[static_cast<std::size_t>(LineLoss::slow)].get(); };
  AccessLog log({.buffer_bytes = 4 * AccessLine::bytes_max, .under_way_max = 2}, losses);
  AccessLine* const first = log.begin({}, request);
  AccessLine* const second = log.begin({}, request);
  EXPECT_EQ(log.begin({}, request), nullptr);
  EXPECT_EQ(slow(), 1U);
  log.end(first, ok, some_second);
  log.end(second, ok, some_second);
  log.end(nullptr, ok, some_second);
  EXPECT_EQ(slow(), 1U);
  unsigned kept = 2;
  for (unsigned more = 0; more < 100; ++more) {
    log.end(log.begin({}, request), ok, some_second);
    if (slow() == 1) ++kept;
  }
  EXPECT_GT(slow(), 1U);
  EXPECT_EQ(kept + slow() - 1, 102U);
  const std::string_view lines = log.lines().take(false);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), static_cast<std::ptrdiff_t>(kept));
  // The other half is free.
  log.end(log.begin({}, request), ok, some_second);
  EXPECT_EQ(kept + slow() - 1, 102U);
  log.lines().give_back();
}

}  // namespace
}  // namespace lab
