// What whoever is not let in hears: constant text, whose fields somebody has counted.
#include "06-server/lib/protocol/http/refusal_answer.hpp"

#include <gtest/gtest.h>

#include <string>

namespace lab {
namespace {

TEST(RefusalAnswer, EachSaysHowLongItIsAndThatItIsTheLast) {
  for (unsigned why = 0; why < static_cast<unsigned>(Refused::count); ++why) {
    const std::string answer(refusal_answer(static_cast<Refused>(why)));
    const std::size_t end = answer.find("\r\n\r\n");
    ASSERT_NE(end, std::string::npos);
    const std::string body = answer.substr(end + 4);
    EXPECT_NE(answer.find("Content-Length: " + std::to_string(body.size()) + "\r\n"),
              std::string::npos)
        << answer;
    EXPECT_NE(answer.find("\r\nConnection: close\r\n"), std::string::npos);
    EXPECT_EQ(answer.substr(9, answer.find("\r\n") - 9) + "\n", body) << "its status in words";
  }
}

TEST(RefusalAnswer, TheStatusIsThatOfTheReasonAndWhoMayComeAgainIsToldWhen) {
  const auto says = [](Refused why, std::string_view status, bool again) {
    const std::string_view answer = refusal_answer(why);
    EXPECT_TRUE(answer.starts_with(status)) << answer;
    EXPECT_EQ(answer.find("\r\nRetry-After: 1\r\n") != std::string_view::npos, again) << answer;
  };
  says(Refused::denied, "HTTP/1.1 403 Forbidden\r\n", false);
  says(Refused::connections, "HTTP/1.1 429 Too Many Requests\r\n", true);
  says(Refused::rate, "HTTP/1.1 429 Too Many Requests\r\n", true);
  says(Refused::total, "HTTP/1.1 429 Too Many Requests\r\n", true);
  says(Refused::delay, "HTTP/1.1 503 Service Unavailable\r\n", true);
}

}  // namespace
}  // namespace lab
