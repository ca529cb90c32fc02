#include "05-performance/bench/host_port.hpp"

#include <gtest/gtest.h>

namespace lab {
namespace {

TEST(HostPort, IsTakenApart) {
  struct Case {
    const char* text;
    const char* host;
    std::optional<std::uint16_t> port;
  };
  for (const Case& one : std::initializer_list<Case>{{"127.0.0.1", "127.0.0.1", std::nullopt},
                                                     {"127.0.0.1:8000", "127.0.0.1", 8000},
                                                     {"::1", "::1", std::nullopt},
                                                     {"[::1]", "::1", std::nullopt},
                                                     {"[::1]:65535", "::1", 65535},
                                                     {"[fe80::1%lo]:1", "fe80::1%lo", 1},
                                                     {"::", "::", std::nullopt},
                                                     {"localhost", "localhost", std::nullopt},
                                                     {"localhost:80", "localhost", 80}}) {
    const HostPort result = split_host_port(one.text);
    EXPECT_EQ(result.host, one.host) << one.text;
    EXPECT_EQ(result.port, one.port) << one.text;
  }
}

TEST(HostPort, WhatIsNoneIsRefused) {
  for (const char* text :
       {"", "[", "[::1", "[]", "[]:80", "[::1]80", "[::1]:", "name:", ":80", "name:0", "name:65536",
        "name:-1", "name:+1", "name:80x", "name: 80", "[::1]:0"}) {
    EXPECT_THROW(split_host_port(text), std::invalid_argument) << text;
  }
}

TEST(HostPort, ThePortIsGivenOnce) {
  EXPECT_EQ(split_host_port("[::1]", 8000).port, 8000);
  EXPECT_EQ(split_host_port("[::1]:8000", std::nullopt).port, 8000);
  EXPECT_THROW(split_host_port("::1", std::nullopt), std::invalid_argument);
  EXPECT_THROW(split_host_port("[::1]:8000", 8000), std::invalid_argument);
}

TEST(HostPort, TextIsTakenBack) {
  for (const char* host : {"::1", "127.0.0.1", "localhost"}) {
    const HostPort result = split_host_port(host_port_text(host, 8000));
    EXPECT_EQ(result.host, host);
    EXPECT_EQ(result.port, 8000);
  }
  EXPECT_EQ(host_port_text("::1", 8000), "[::1]:8000");
}

TEST(HostPort, ATextForPeopleHasItInAnyForm) {
  const std::string text = "nc {host} {port} or curl {}/";
  EXPECT_EQ(with_place(text, "[::1]:80"), "nc ::1 80 or curl [::1]:80/");
  EXPECT_EQ(with_place(text, "127.0.0.1:80"), "nc 127.0.0.1 80 or curl 127.0.0.1:80/");
  EXPECT_EQ(with_place("nothing", "127.0.0.1:80"), "nothing");
}

TEST(HostPort, BracketsAreTakenOffInPairs) {
  EXPECT_EQ(unbracketed("[::1]"), "::1");
  for (const char* text : {"::1", "[::1", "::1]", "[]", "", "0.0.0.0"}) {
    EXPECT_EQ(unbracketed(text), text);
  }
}

}  // namespace
}  // namespace lab
