// What --to takes, and the cure for what it does not take.

#include "06-server/proxy/upstream_words.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace lab {
namespace {

std::string refusal(const std::string& text) {
  try {
    split_upstream(text);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "taken";
}

std::string cure(const std::string& text) {
  const std::string message = refusal(text);
  const std::string mark = ". Cure: ";
  const std::size_t at = message.find(mark);
  return at == std::string::npos ? message : message.substr(at + mark.size());
}

const std::string form =
    "HOST:PORT, as in 127.0.0.1:9001, [::1]:9001 or example.org:9001; --to again for each";

TEST(UpstreamWords, AnAddressOrANameWithItsPort) {
  struct Case {
    const char* text;
    const char* host;
    std::uint16_t port;
  };
  for (const Case& one :
       std::initializer_list<Case>{{"127.0.0.1:80", "127.0.0.1", 80},
                                   {"[::1]:80", "::1", 80},
                                   {"[fe80::1%lo]:1", "fe80::1%lo", 1},
                                   {"name-1.example.org:65535", "name-1.example.org", 65535}}) {
    const HostPort place = split_upstream(one.text);
    EXPECT_EQ(place.host, one.host);
    EXPECT_EQ(place.port, one.port);
  }
}

TEST(UpstreamWords, WithoutAPort) {
  EXPECT_EQ(refusal("127.0.0.1"), "127.0.0.1 has no port. Cure: HOST:PORT, as in 127.0.0.1:9001");
  EXPECT_EQ(cure("localhost"), "HOST:PORT, as in localhost:9001");
  EXPECT_EQ(cure("[::1]"), "HOST:PORT, as in [::1]:9001");
  EXPECT_EQ(cure("[::1:80]"), "HOST:PORT, as in [::1:80]:9001") << "its brackets say what it is";
  EXPECT_EQ(cure("::1"), "HOST:PORT, as in [::1]:9001");
  EXPECT_EQ(cure("::1:80"), "[::1]:80, or [::1:80]:9001 if all of it is the address");
  EXPECT_EQ(cure("2001:db8::1:443"),
            "[2001:db8::1]:443, or [2001:db8::1:443]:9001 if all of it is the address");
  EXPECT_EQ(refusal("1:2:3:4:5:6:7:8:80"),
            "1:2:3:4:5:6:7:8:80 is no address. Cure: [1:2:3:4:5:6:7:8]:80");
  EXPECT_EQ(refusal("9001"), "9001 has no host. Cure: 127.0.0.1:9001");
}

TEST(UpstreamWords, ABracketTooFew) {
  EXPECT_EQ(refusal("::1]:80"), "::1]:80 has a bracket that is not opened. Cure: [::1]:80");
  for (const char* text : {"::1]", "x]:80:1", "[::1:80", "[::1", "[]:80", "[::1]80"}) {
    EXPECT_EQ(cure(text), form) << text;
  }
}

TEST(UpstreamWords, SeveralInOne) {
  EXPECT_EQ(refusal("127.0.0.1:80,127.0.0.1:81"),
            "127.0.0.1:80,127.0.0.1:81 is not one address. Cure: --to 127.0.0.1:80 --to "
            "127.0.0.1:81");
  EXPECT_EQ(cure("[::1]:80 localhost:81"), "--to [::1]:80 --to localhost:81");
  EXPECT_EQ(cure(" 127.0.0.1:80,"), "--to 127.0.0.1:80");
  for (const char* text : {"127.0.0.1:80,81", "a,b", ",", "::1:80,::1:81", "http://a,http://b"}) {
    EXPECT_EQ(cure(text), form) << text;
  }
}

TEST(UpstreamWords, AUrl) {
  EXPECT_EQ(refusal("http://127.0.0.1:81"),
            "http://127.0.0.1:81 is a URL, and connections are passed on whatever they carry. "
            "Cure: --to 127.0.0.1:81");
  EXPECT_EQ(cure("https://example.org/a?b"), "--to example.org:443");
  EXPECT_EQ(cure("http://somebody:word@example.org/"), "--to example.org:80");
  EXPECT_EQ(cure("http://[::1]/"), "--to [::1]:80");
  EXPECT_EQ(cure("tcp://example.org:5"), "--to example.org:5");
  for (const char* text : {"tcp://example.org", "http://::1:80/", "http:///", "http://a:b"}) {
    EXPECT_EQ(cure(text), form) << text;
  }
}

TEST(UpstreamWords, WhatIsNoAddressAtAllHasTheFormForACure) {
  for (const char* text : {"", ":80", "name:", "name:0", "name:65536", "name:http", "127.0.0.1:80/",
                           "127.0.0.1:80:81", "::g", "na/me", "\xc3\xbc"}) {
    EXPECT_EQ(cure(text), form) << text;
  }
}

}  // namespace
}  // namespace lab
