#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <string>
#include <vector>

#include "tests/conformance/cases.hpp"

// What strangers can ask of a TLS server, and what it costs those inside.

namespace lab {

namespace {

using Latencies = std::vector<Clock::duration>;

// The first bytes of a client, which cost it nothing when it sends them again and again.
std::string client_hello() {
  SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
  SSL* const ssl = SSL_new(context);
  SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_connect_state(ssl);
  SSL_do_handshake(ssl);
  std::string hello(BIO_ctrl_pending(SSL_get_wbio(ssl)), '\0');
  BIO_read(SSL_get_wbio(ssl), hello.data(), static_cast<int>(hello.size()));
  SSL_free(ssl);
  SSL_CTX_free(context);
  return hello;
}

// Has the server sign, and leaves. Returns false when the server did not answer.
bool begin_handshake(const Endpoint& server, const std::string& hello) {
  const int fd = socket(server.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw Failure("client: socket failed");
  const timeval patience{.tv_sec = 1, .tv_usec = 0};
  const linger abort{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  std::array<char, 4096> answer;
  const auto* const address = reinterpret_cast<const sockaddr*>(&server.address);
  const bool answered = ::connect(fd, address, server.address_size) == 0 &&
                        ::send(fd, hello.data(), hello.size(), MSG_NOSIGNAL) > 0 &&
                        ::recv(fd, answer.data(), answer.size(), 0) > 0;
  ::close(fd);
  return answered;
}

void ask_around(Context& context, std::vector<Stream>& inside, Latencies& latencies) {
  const Deadline enough(Milliseconds(context.settings.quick ? 500 : 2000));
  while (!enough.passed()) {
    for (Stream& stream : inside) latencies.push_back(ping(context, stream));
  }
}

double percentile_ms(Latencies& latencies, double share) {
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(latencies.size() - 1));
  std::nth_element(latencies.begin(), latencies.begin() + at, latencies.end());
  return in_ms(latencies[static_cast<std::size_t>(at)]);
}

// No verdict about how long: flood, server and this client share the machine's processors.
void handshake_flood(Context& context) {
  if (!context.settings.tls) throw Skip("only over TLS is there a handshake (--tls)");
  constexpr std::size_t flooders = 8;
  constexpr int rounds = 3;
  const std::string hello = client_hello();
  std::vector<Stream> inside;
  for (int count = 0; count < 16; ++count) inside.push_back(context.connect());
  Latencies calm;
  Latencies flooded;
  std::atomic<std::uint64_t> answered = 0;
  std::atomic<std::uint64_t> unanswered = 0;
  const auto begin = Clock::now();
  Clock::duration flooding{};
  for (int round = 0; round < rounds; ++round) {
    ask_around(context, inside, calm);
    const auto flood_begin = Clock::now();
    std::vector<std::unique_ptr<Task>> flood;
    for (std::size_t count = 0; count < flooders; ++count) {
      flood.push_back(std::make_unique<Task>([&](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
          ++(begin_handshake(context.settings.server, hello) ? answered : unanswered);
        }
      }));
    }
    ask_around(context, inside, flooded);
    for (const auto& one : flood) one->join();
    flooding += Clock::now() - flood_begin;
  }
  for (Stream& stream : inside) stream.finish_and_check(context.deadline);
  if (answered == 0) throw Failure("no handshake was answered");
  const double p99_calm = percentile_ms(calm, 0.99);
  const double p99_flooded = percentile_ms(flooded, 0.99);
  context.seen = fmt::format(
      "16 inside, p50 and p99 {:.2f} and {:.2f} ms; while {:.0f} handshakes/s are begun by {} "
      "({} unanswered) {:.2f} and {:.2f} ms: p99 is {:.1f} times as long; no verdict ({:.0f} s)",
      percentile_ms(calm, 0.5), p99_calm, static_cast<double>(answered) * 1000 / in_ms(flooding),
      flooders, unanswered.load(), percentile_ms(flooded, 0.5), p99_flooded, p99_flooded / p99_calm,
      in_ms(Clock::now() - begin) / 1000);
}

}  // namespace

std::vector<Case> tls_cases() {
  using std::chrono::seconds;
  return {
      {"handshake-flood", "16 are answered while 8 begin one handshake after the other; its p99",
       seconds(120), handshake_flood},
  };
}

}  // namespace lab
