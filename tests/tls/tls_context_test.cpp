// The context: certificates and names, clients that must show one, ALPN, tickets between workers.

#include "06-server/lib/protocol/tls/tls_context.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <sys/wait.h>
#include <unistd.h>

#include "06-server/lib/protocol/tls/ticket_keys.hpp"
#include "06-server/lib/protocol/tls/tls_error.hpp"
#include "tests/tls/tls_talk.hpp"

namespace lab::test {
namespace {

struct Outcome {
  bool connected;
  bool resumed;
  int alert;
  std::string alpn;
  std::string name;
  SessionPointer session;
};

Outcome try_with(const std::shared_ptr<const TlsContext>& context,
                 const TlsClientOptions& options) {
  Tls<Echo>::Shared shared(context);
  TlsTalk<Tls<Echo>> talk(shared, options);
  talk.connect();
  const bool connected = talk.client.connected() && !talk.client.failed();
  if (connected) {
    talk.say("hello");
    EXPECT_EQ(talk.client.text, "hello");
    talk.client.close_notify();
    talk.go_on();
  }
  EXPECT_EQ(shared.tls.counters.resumed().get(), talk.client.resumed() ? 1U : 0U);
  EXPECT_EQ(ERR_peek_error(), 0UL) << "an error is left for the next connection";
  return {connected,          talk.client.resumed(),     talk.client.alert(),
          talk.client.alpn(), talk.client.server_name(), talk.client.session()};
}

std::string why_not(const TlsOptions& options) {
  try {
    const TlsContext context(options);
  } catch (const TlsError& error) {
    EXPECT_EQ(ERR_peek_error(), 0UL);
    return error.what();
  }
  return "it was taken";
}

TEST(TlsContext, AlpnsThreeCases) {
  TlsOptions options = self_signed();
  options.alpn = {"http/1.1"};
  const auto context = std::make_shared<const TlsContext>(options);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    EXPECT_TRUE(try_with(context, {.version = version}).connected);
    const Outcome chosen = try_with(context, {.version = version, .alpn = {"h2", "http/1.1"}});
    EXPECT_TRUE(chosen.connected);
    EXPECT_EQ(chosen.alpn, "http/1.1");
    const Outcome refused = try_with(context, {.version = version, .alpn = {"h2"}});
    EXPECT_FALSE(refused.connected);
    EXPECT_EQ(refused.alert, SSL_AD_NO_APPLICATION_PROTOCOL);
  }
}

TEST(TlsContext, TheLowestVersion) {
  TlsOptions options = self_signed();
  options.version_min = TlsVersion::tls_1_3;
  const auto context = std::make_shared<const TlsContext>(options);
  EXPECT_TRUE(try_with(context, {.version = TLS1_3_VERSION}).connected);
  const Outcome refused = try_with(context, {.version = TLS1_2_VERSION});
  EXPECT_FALSE(refused.connected);
  EXPECT_EQ(refused.alert, SSL_AD_PROTOCOL_VERSION);
}

TEST(TlsContext, NamesChooseTheCertificate) {
  TlsFiles files;
  const TlsFiles::Pair one = files.make({"one.test"}), two = files.make({"two.test", "*.two.test"});
  TlsOptions options;
  options.certificates = {one.certificate, two.certificate};
  options.keys = {one.key, two.key};
  for (const bool strict : {false, true}) {
    options.strict_sni = strict;
    const auto context = std::make_shared<const TlsContext>(options);
    EXPECT_EQ(try_with(context, {.name = "two.test"}).name, "two.test");
    EXPECT_EQ(try_with(context, {.name = "www.two.test"}).name, "two.test");
    EXPECT_EQ(try_with(context, {.name = "one.test"}).name, "one.test");
    for (const char* name : {"three.test", ""}) {
      const Outcome other = try_with(context, {.name = name});
      EXPECT_EQ(other.connected, !strict) << name;
      if (strict) {
        EXPECT_EQ(other.alert, SSL_AD_UNRECOGNIZED_NAME);
      } else {
        EXPECT_EQ(other.name, "one.test");
      }
    }
  }
}

TEST(TlsContext, ClientsMustShowACertificate) {
  TlsFiles files;
  const TlsFiles::Pair authority = files.make({"authority"}), stranger = files.make({"stranger"});
  const TlsFiles::Pair known = files.make({"client"}, &authority);
  TlsOptions options = self_signed();
  options.client_ca = authority.certificate;
  const auto context = std::make_shared<const TlsContext>(options);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const auto with = [&](const TlsFiles::Pair& pair) {
      return try_with(context,
                      {.version = version, .certificate = pair.certificate, .key = pair.key});
    };
    EXPECT_TRUE(with(known).connected);
    EXPECT_EQ(with(stranger).alert, SSL_AD_UNKNOWN_CA);
    const int expected =
        version == TLS1_3_VERSION ? SSL_AD_CERTIFICATE_REQUIRED : SSL_AD_HANDSHAKE_FAILURE;
    EXPECT_EQ(try_with(context, {.version = version}).alert, expected);
  }
}

// A session of one worker is every worker's, and outlives a reload; but not a change of who is
// trusted.
TEST(TlsContext, SessionsAreResumedByAnotherContextWithTheSameKeys) {
  TlsFiles files;
  const TlsFiles::Pair authority = files.make({"authority"});
  const TlsFiles::Pair known = files.make({"client"}, &authority);
  const auto first = std::make_shared<const TlsContext>(self_signed());
  const auto second = std::make_shared<const TlsContext>(self_signed(), first->ticket_keys());
  const auto stranger = std::make_shared<const TlsContext>(self_signed());
  TlsOptions mutual = self_signed();
  mutual.client_ca = authority.certificate;
  const auto strict = std::make_shared<const TlsContext>(mutual, first->ticket_keys());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClientOptions options{.version = version};
    Outcome before = try_with(first, options);
    EXPECT_FALSE(before.resumed);
    for (int round = 0; round < 10; ++round) {
      options.session = before.session.get();
      Outcome after = try_with(round % 2 == 0 ? second : first, options);
      EXPECT_TRUE(after.connected);
      EXPECT_TRUE(after.resumed) << round;
      before = std::move(after);
    }
    options.session = before.session.get();
    EXPECT_FALSE(try_with(stranger, options).resumed);
    EXPECT_FALSE(try_with(strict, options).connected);
    options.certificate = known.certificate;
    options.key = known.key;
    EXPECT_FALSE(try_with(strict, options).resumed);
  }
}

TEST(TlsContext, WhatIsWrongIsSaidWithACure) {
  TlsFiles files;
  const TlsFiles::Pair one = files.make({"one.test"}), two = files.make({"two.test"});
  const std::string garbage = files.write("garbage", "no PEM at all");
  const auto with = [&](const std::string& certificate, const std::string& key) {
    TlsOptions options;
    options.certificates = {certificate};
    options.keys = {key};
    return why_not(options);
  };
  const std::pair<std::string, std::string> cases[] = {
      {with(files.folder() + "/none", one.key), "No such file"},
      {with(one.certificate, files.folder() + "/none"), "No such file"},
      {with(garbage, one.key), "holds no certificate"},
      {with(one.certificate, garbage), "holds no key"},
      {with(one.certificate, two.key), "does not belong"},
      {why_not({}), "no certificate"},
      {why_not({.certificates = {one.certificate}}), "1 certificates and 0 keys"},
      {why_not({.self_signed = true, .client_ca = garbage}), "no authority"},
  };
  for (const auto& [message, words] : cases) {
    EXPECT_NE(message.find(words), std::string::npos) << message;
    EXPECT_NE(message.find("Cure: "), std::string::npos) << message;
  }
}

TEST(TicketKeys, RotateAndForget) {
  constexpr std::uint64_t period = TicketKeys::period_seconds;
  for (const std::uint64_t start : {std::uint64_t{0}, 1000 * period}) {
    TicketKeys keys(start);
    const TicketKey first = keys.current(start);
    EXPECT_EQ(keys.current(start + period - 1).name, first.name);
    EXPECT_TRUE(keys.find(first.name.data(), start).value().is_current);
    const TicketKey second = keys.current(start + period);
    EXPECT_NE(second.name, first.name);
    EXPECT_NE(second.cipher, first.cipher);
    EXPECT_FALSE(keys.find(first.name.data(), start + period).value().is_current);
    EXPECT_EQ(keys.find(first.name.data(), start + period).value().key.mac, first.mac);
    EXPECT_FALSE(keys.find(first.name.data(), start + 2 * period));
    EXPECT_FALSE(keys.find(first.name.data(), start)) << "it is forgotten";
    const std::array<unsigned char, 16> nothing{};
    EXPECT_FALSE(keys.find(nothing.data(), start + 2 * period));
    keys.current(start + 500 * period);  // a long rest
  }
}

// Processes that rotate by themselves have the same keys.
TEST(TicketKeys, AreTheSameInEveryProcess) {
  constexpr std::uint64_t period = TicketKeys::period_seconds;
  TicketKeys keys(0);
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const pid_t child = fork();
  ASSERT_NE(child, -1);
  if (child == 0) {
    const TicketKey key = keys.current(7 * period);
    _exit(write(pipe_ends[1], &key, sizeof key) == sizeof key ? 0 : 1);
  }
  TicketKey theirs;
  ASSERT_EQ(read(pipe_ends[0], &theirs, sizeof theirs), static_cast<ssize_t>(sizeof theirs));
  waitpid(child, nullptr, 0);
  EXPECT_EQ(theirs.cipher, keys.current(7 * period).cipher);
  EXPECT_TRUE(keys.find(theirs.name.data(), 7 * period));
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

}  // namespace
}  // namespace lab::test
