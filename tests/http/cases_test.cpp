// The table against the protocol alone: the same answers however the bytes come and go.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string_view>

#include "tests/http/protocol_run.hpp"
#include "tests/server/json.hpp"

namespace lab::test {
namespace {

std::vector<Case> table() {
  static const TestSite site;
  return read_cases(LAB_HTTP_CASES, [](const std::string& path, const std::string& coding) {
    return find_test_tag(site, path, coding);
  });
}

void expect_all(const Delivery& delivery, bool streamed = false) {
  HttpWorld world(streamed);
  for (const Case& wanted : table()) {
    const auto wrong = compare(wanted, run_case(world, wanted, delivery));
    EXPECT_TRUE(wrong.empty()) << wanted.name << " " << wanted.title << joined(wrong);
  }
  EXPECT_EQ(world.source.first_in_use(), 0U);
}

TEST(HttpCases, Whole) { expect_all({}); }

TEST(HttpCases, OneByteASegment) { expect_all({.piece = 1}); }

TEST(HttpCases, SevenBytesASegment) { expect_all({.piece = 7}); }

TEST(HttpCases, Streamed) { expect_all({}, true); }

// Whatever is asked, whoever leaves in between: as many lines as answers, and as many bytes.
TEST(HttpCases, EachAnswerIsALineOfTheLog) {
  for (const bool streamed : {false, true}) {
    for (const std::size_t piece : {~std::size_t{0}, std::size_t{1}}) {
      HttpWorld world(streamed);
      AccessLog log({.format = LogFormat::json, .buffer_bytes = std::size_t{8} << 20},
                    world.counters.lines_lost());
      world.shared.log_to(log);
      for (const Case& wanted : table()) run_case(world, wanted, {.piece = piece});
      std::map<Status, std::uint64_t> counted;
      for (const Status status : statuses) counted[status] = 0;
      std::uint64_t bytes = 0;
      std::string_view lines = log.lines().take(false);
      for (std::size_t end; (end = lines.find('\n')) != std::string_view::npos;) {
        const Json line = JsonReader::read(lines.substr(0, end));
        lines.remove_prefix(end + 1);
        ++counted[static_cast<Status>(line["status"].number())];
        bytes += static_cast<std::uint64_t>(line["bytes"].number());
      }
      for (const auto& [status, lines_of_it] : counted)
        EXPECT_EQ(lines_of_it, world.counters.answers(status).get()) << static_cast<int>(status);
      EXPECT_GT(counted[Status::ok], 100U);
      EXPECT_EQ(bytes, world.counters.body_bytes().get());
      log.lines().give_back();
    }
  }
}

TEST(HttpCases, StreamedInPiecesOfThreeBytes) {
  // Nothing of 3 MiB in pieces of 3 bytes: what counts is that pieces end anywhere.
  HttpWorld world(true);
  for (const Case& wanted : table()) {
    const bool large = std::any_of(wanted.steps.begin(), wanted.steps.end(), [](const Step& step) {
      return step.text.find("/big.bin") != std::string::npos;
    });
    if (large) continue;
    const Delivery delivery{.limits = {.room_bytes = 100, .file_piece_bytes = 3}};
    const auto wrong = compare(wanted, run_case(world, wanted, delivery));
    EXPECT_TRUE(wrong.empty()) << wanted.name << " " << wanted.title << joined(wrong);
  }
}

TEST(HttpCases, OneSmallBufferAndAPeerThatReadsOneSegmentAtATime) {
  expect_all({.limits = {.buffers = 1, .buffer_bytes = 1024, .room_bytes = 1}});
}

TEST(HttpCases, TwoBuffersOneByteASegmentStreamed) {
  expect_all({.piece = 1, .limits = {.buffers = 2, .buffer_bytes = 900, .room_bytes = 300}}, true);
}

// A first write of n bytes can be cut in n - 1 ways; of a long one, 200 of them are tried, and with
// a sanitizer 10.
#ifdef LAB_SANITIZED
constexpr std::size_t cuts_of_a_case = 10;
constexpr std::size_t cuts_least = 1000;
#else
constexpr std::size_t cuts_of_a_case = 200;
constexpr std::size_t cuts_least = 10'000;
#endif

TEST(HttpCases, CutAtEveryByte) {
  HttpWorld world;
  std::size_t cuts = 0;
  for (const Case& wanted : table()) {
    const std::size_t size = wanted.steps.front().text.size();
    const std::size_t stride = std::max<std::size_t>(1, size / cuts_of_a_case);
    for (std::size_t cut = 1; cut < size; cut += stride, ++cuts) {
      const auto wrong = compare(wanted, run_case(world, wanted, {.cut = cut}));
      ASSERT_TRUE(wrong.empty()) << wanted.name << " " << wanted.title << ", cut after " << cut
                                 << " bytes" << joined(wrong);
    }
  }
  EXPECT_GT(cuts, cuts_least);
}

// --- the runner can fail: each answer that is wrong in one way is found to be ---

using Spoil = void (*)(Transcript&);

void expect_found(Spoil spoil) {
  HttpWorld world;
  unsigned spoiled = 0;
  for (const Case& wanted : table()) {
    const Transcript right = run_case(world, wanted, {});
    Transcript wrong = right;
    spoil(wrong);
    if (wrong.bytes == right.bytes && wrong.end == right.end) continue;
    ++spoiled;
    EXPECT_FALSE(compare(wanted, wrong).empty()) << wanted.name << " " << wanted.title;
  }
  EXPECT_GT(spoiled, 100U);
}

void replace_first(std::string& text, std::string_view what, std::string_view with) {
  const std::size_t at = text.find(what);
  if (at != std::string::npos) text.replace(at, what.size(), with);
}

TEST(HttpCasesSelf, AnAnswerTooMany) {
  expect_found([](Transcript& transcript) {
    transcript.bytes +=
        "HTTP/1.1 200 OK\r\nDate: Thu, 02 Jan 2020 03:04:05 GMT\r\n"
        "Content-Type: a/b\r\nContent-Length: 0\r\n\r\n";
  });
}

TEST(HttpCasesSelf, AnAnswerTooFew) {
  expect_found([](Transcript& transcript) {
    const std::size_t last = transcript.bytes.rfind("HTTP/1.1 ");
    if (last != std::string::npos) transcript.bytes.resize(last);
  });
}

TEST(HttpCasesSelf, AByteOfABodyTooFew) {
  expect_found([](Transcript& transcript) {
    const std::size_t head = transcript.bytes.find("\r\n\r\n");
    const bool has_body = head != std::string::npos && head + 4 < transcript.bytes.size() &&
                          transcript.bytes[head + 4] != 'H';
    if (has_body) transcript.bytes.erase(head + 4, 1);
  });
}

TEST(HttpCasesSelf, AByteTooManyBehindAHead) {
  expect_found(
      [](Transcript& transcript) { replace_first(transcript.bytes, "\r\n\r\n", "\r\n\r\nx"); });
}

TEST(HttpCasesSelf, AnotherStatus) {
  expect_found([](Transcript& transcript) {
    if (transcript.bytes.size() > 12) transcript.bytes.replace(9, 3, "418");
  });
}

TEST(HttpCasesSelf, NoDate) {
  expect_found([](Transcript& transcript) { replace_first(transcript.bytes, "Date: ", "Dote: "); });
}

TEST(HttpCasesSelf, AFieldTwice) {
  expect_found([](Transcript& transcript) {
    replace_first(transcript.bytes, "Date: ", "date: Thu, 02 Jan 2020 03:04:05 GMT\r\nDate: ");
  });
}

TEST(HttpCasesSelf, ABareLineFeed) {
  expect_found([](Transcript& transcript) { replace_first(transcript.bytes, "\r\n", "\n"); });
}

TEST(HttpCasesSelf, OpenInPlaceOfClosedAndTheReverse) {
  expect_found([](Transcript& transcript) {
    transcript.end = transcript.end == End::open ? End::closed : End::open;
  });
}

TEST(HttpCasesSelf, AReset) {
  expect_found([](Transcript& transcript) { transcript.end = End::reset; });
}

TEST(HttpCasesSelf, ARefusalWithoutLingering) {
  expect_found([](Transcript& transcript) {
    if (transcript.end == End::lingers) transcript.end = End::closed;
  });
}

TEST(HttpCasesSelf, NoWordOfTheEnd) {
  expect_found(
      [](Transcript& transcript) { replace_first(transcript.bytes, "Connection: close\r\n", ""); });
}

TEST(HttpCasesSelf, AFileOfCasesThatIsWrongSaysWhere) {
  const FindTag none = [](const std::string&, const std::string&) { return std::string(); };
  const auto message = [&](const std::string& text) -> std::string {
    const std::string file = testing::TempDir() + "http_cases_wrong.txt";
    std::ofstream(file) << text;
    try {
      read_cases(file, none);
    } catch (const std::runtime_error& error) {
      return std::string(error.what()).substr(file.size());
    }
    return "nothing";
  };
  EXPECT_EQ(message("send x\n"), ":1: a line before the first \"case\"");
  EXPECT_EQ(message("case A x\nsind x\n"), ":2: \"sind\" is no word of a case");
  EXPECT_EQ(message("case A x\nsend {H}\n"), ":2: \"{H}\" is not known");
  EXPECT_EQ(message("case A x\nsend {G\n"), ":2: a { without its }");
  EXPECT_EQ(message("case A x\nsend \\q\n"), ":2: \\q is no escape");
  EXPECT_EQ(message("case A x\nsend x\nwant 'a: b'\n"), ":3: an answer without a status");
  EXPECT_EQ(message("case A x\nwant 200\n"), ":2: case A does nothing");
}

}  // namespace
}  // namespace lab::test
