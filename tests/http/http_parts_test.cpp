// The parts of the protocol that are functions of text.
#include <gtest/gtest.h>

#include <string>

#include "06-server/lib/protocol/http/accept_encoding.hpp"
#include "06-server/lib/protocol/http/body_reader.hpp"
#include "06-server/lib/protocol/http/byte_range.hpp"
#include "06-server/lib/protocol/http/http_date.hpp"
#include "06-server/lib/protocol/http/http_text.hpp"
#include "06-server/lib/protocol/http/preconditions.hpp"
#include "06-server/lib/protocol/http/request_target.hpp"

namespace lab {
namespace {

constexpr std::int64_t now_s = 1'764'460'800;  // 30 Nov 2025

std::string date(std::int64_t seconds) {
  DateCache cache;
  return std::string(cache.at(seconds));
}

TEST(HttpDate, TheFormThatIsWritten) {
  EXPECT_EQ(date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(date(951782399), "Mon, 28 Feb 2000 23:59:59 GMT");
  EXPECT_EQ(date(951782400), "Tue, 29 Feb 2000 00:00:00 GMT");
  EXPECT_EQ(date(4102444800), "Fri, 01 Jan 2100 00:00:00 GMT");
}

TEST(HttpDate, ThreeFormsAreOneMoment) {
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT", now_s), 784111777);
  EXPECT_EQ(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT", now_s), 784111777);
  EXPECT_EQ(parse_http_date("Sun Nov  6 08:49:37 1994", now_s), 784111777);
  EXPECT_EQ(parse_http_date("Sun Nov 16 08:49:37 1994", now_s), 784111777 + 864000);
}

TEST(HttpDate, TwoDigitsOfAYearAreNeverFarAhead) {
  EXPECT_EQ(parse_http_date("Sunday, 06-Nov-75 08:49:37 GMT", now_s),
            parse_http_date("Sun, 06 Nov 2075 08:49:37 GMT", now_s));
  EXPECT_EQ(parse_http_date("Sunday, 06-Nov-76 08:49:37 GMT", now_s),
            parse_http_date("Sun, 06 Nov 1976 08:49:37 GMT", now_s));
}

TEST(HttpDate, WhatIsWrittenIsRead) {
  for (std::int64_t seconds = 0; seconds < 250'000'000'000; seconds += 86'399'977)
    EXPECT_EQ(parse_http_date(date(seconds), now_s), seconds);
}

TEST(HttpDate, TheCacheKeepsASecond) {
  DateCache cache;
  EXPECT_EQ(cache.at(1), cache.at(1));
  EXPECT_EQ(cache.at(1).data(), cache.at(2).data());
  EXPECT_EQ(cache.at(3).substr(17, 8), "00:00:03");
}

TEST(HttpText, ListsWithoutTheirEmptyMembers) {
  std::string_view list = " ,a , b\t,,c, ";
  EXPECT_EQ(next_member(list), "a");
  EXPECT_EQ(next_member(list), "b");
  EXPECT_EQ(next_member(list), "c");
  EXPECT_EQ(next_member(list), "");
}

TEST(HttpText, NumbersDoNotWrap) {
  EXPECT_EQ(decimal_saturated("18446744073709551614"), ~std::uint64_t{0} - 1);
  EXPECT_EQ(decimal_saturated("18446744073709551616"), ~std::uint64_t{0});
  EXPECT_EQ(decimal_saturated("99999999999999999999999"), ~std::uint64_t{0});
  EXPECT_EQ(decimal_saturated(""), std::nullopt);
  EXPECT_EQ(decimal_saturated("1 "), std::nullopt);
}

std::string decoded(std::string_view path, PathResult& result) {
  std::string space(path.size(), '\0');
  std::string_view made;
  result = decode_path(path, space, made);
  return std::string(made);
}

TEST(RequestTarget, APathIsDecodedOnce) {
  PathResult result{};
  EXPECT_EQ(decoded("/a%20b/%C3%A9", result), "/a b/\xc3\xa9");
  EXPECT_EQ(result, PathResult::decoded);
  EXPECT_EQ(decoded("/%252e", result), "/%2e");
  EXPECT_EQ(result, PathResult::decoded);
  EXPECT_EQ(decoded("/%41", result), "/A") << "an escape at the very end";
}

TEST(RequestTarget, WithoutEscapesThereIsNoCopy) {
  constexpr std::string_view path = "/a/b";
  std::string_view made;
  EXPECT_EQ(decode_path(path, {}, made), PathResult::decoded);
  EXPECT_EQ(made.data(), path.data());
}

TEST(RequestTarget, PathsThatAreBad) {
  for (const std::string_view path : {"/%", "/%4", "/%4g", "/%00", "/a/..", "/./a", "/%2e%2E/a"}) {
    PathResult result{};
    decoded(path, result);
    EXPECT_EQ(result, PathResult::bad) << path;
  }
}

TEST(RequestTarget, TheAbsoluteFormInItsParts) {
  const auto target = parse_target("http://h:80/a?b/c");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->authority, "h:80");
  EXPECT_EQ(target->path, "/a");
  EXPECT_EQ(target->query, "?b/c");
}

TEST(ByteRange, RangesThatTouchAreOne) {
  const ByteRange range = parse_range("bytes=10-19,0-9,20-", 100);
  EXPECT_EQ(range.kind, ByteRange::Kind::part);
  EXPECT_EQ(range.offset, 0U);
  EXPECT_EQ(range.size, 100U);
}

TEST(ByteRange, SoManyAreIgnored) {
  std::string value = "bytes=0-0";
  for (unsigned i = 1; i < ranges_max; ++i) value += ",0-0";
  EXPECT_EQ(parse_range(value, 100).kind, ByteRange::Kind::part);
  EXPECT_EQ(parse_range(value + ",0-0", 100).kind, ByteRange::Kind::whole);
}

TEST(ByteRange, TheLargestNumbers) {
  const std::uint64_t size = ~std::uint64_t{0};
  const ByteRange range = parse_range("bytes=5-18446744073709551615", size);
  EXPECT_EQ(range.offset, 5U);
  EXPECT_EQ(range.size, size - 5);
}

TEST(AcceptEncoding, ALineMayStandSeveralTimes) {
  AcceptedCodings accepted;
  accepted.add("gzip;q=0.5");
  accepted.add("br;q=0.6");
  EXPECT_GT(accepted.weight(Coding::brotli), accepted.weight(Coding::gzip));
  EXPECT_EQ(accepted.weight(Coding::zstd), 0U);
  EXPECT_GT(accepted.weight(Coding::identity), 0U);
  EXPECT_LT(accepted.weight(Coding::identity), accepted.weight(Coding::gzip));
}

TEST(AcceptEncoding, WithoutIdentityThereMayBeNothing) {
  const Variant only = {.coding = Coding::gzip, .size = 5};
  AcceptedCodings accepted;
  EXPECT_EQ(choose_variant({&only, 1}, accepted), nullptr);
  accepted.add("gzip");
  EXPECT_EQ(choose_variant({&only, 1}, accepted), &only);
}

TEST(Preconditions, ATagIsComparedAsAWhole) {
  EXPECT_EQ(match_tags("\"ab\"", "\"a\"", Comparison::weak), TagMatch::no);
  EXPECT_EQ(match_tags("\"a,b\"", "\"a,b\"", Comparison::weak), TagMatch::yes);
  EXPECT_EQ(match_tags("W/\"a\"", "\"a\"", Comparison::weak), TagMatch::yes);
  EXPECT_EQ(match_tags("W/\"a\"", "\"a\"", Comparison::strong), TagMatch::no);
  EXPECT_EQ(match_tags("", "\"a\"", Comparison::weak), TagMatch::invalid);
}

TEST(Preconditions, ADateOfThisVerySecondIsNoStrongValidator) {
  const Validators now = {.etag = "\"a\"", .modified_s = now_s};
  EXPECT_FALSE(range_is_current(date(now_s), now, now_s));
  EXPECT_TRUE(range_is_current(date(now_s), now, now_s + 1));
}

TEST(BodyReader, ABodyEndsWhereItEnds) {
  BodyReader body;
  body.begin_chunked(100);
  const std::string chunks = "5\r\nhello\r\n0\r\nX: y\r\n\r\n";
  EXPECT_EQ(body.read(chunks + "GET"), chunks.size());
  EXPECT_FALSE(body.reading());
  EXPECT_EQ(body.refusal(), Status::none);
  body.begin_length(3);
  EXPECT_EQ(body.read("GETGET"), 3U);
  EXPECT_FALSE(body.reading());
}

TEST(BodyReader, TheSumOfAllChunksIsBounded) {
  BodyReader body;
  body.begin_chunked(9);
  body.read("5\r\nhello\r\n4\r\nabcd\r\n");
  EXPECT_EQ(body.refusal(), Status::none);
  body.read("1\r\n");
  EXPECT_EQ(body.refusal(), Status::content_too_large);
}

}  // namespace
}  // namespace lab
