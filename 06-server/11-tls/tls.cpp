// shows: TLS between two strings: one send for many records, records that grow, an end that can be
//        told from a cut, and a ticket that another worker takes
// needs: nothing of the kernel's; OpenSSL 3.0
// try:   ./lab run 06-11; ./lab break 06-11; then ./lab serve --tls self-signed
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "01-core/lesson.hpp"
#include "06-server/11-tls/layer.hpp"
#include "06-server/lib/protocol/tls/tls_certificate.hpp"

namespace {

using layer::Layer;
using layer::Role;
using TicketKeys = std::array<unsigned char, 80>;

// What a server answers here: each record again.
constexpr auto echo = [](Layer& server, std::string_view text) { server.write(text); };

// [walk context]
// A worker's context. Workers have the certificate from before the fork; and the keys, or none.
lab::TlsContextPointer worker_context(const lab::SelfSigned& certificate, TicketKeys* keys) {
  lab::TlsContextPointer context(SSL_CTX_new(TLS_server_method()));
  lab::use_self_signed(*context, certificate);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);  // the ticket holds it all
  if (keys != nullptr) {
    SSL_CTX_set_tlsext_ticket_keys(context.get(), keys->data(), static_cast<int>(keys->size()));
  }
  return context;
}
// [/walk]

lab::TlsContextPointer client_context() {
  lab::TlsContextPointer context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION);
  return context;
}

// [walk talk]
// Carries bytes from one to the other until neither has anything to say. The server gets so many
// at a time.
void talk(Layer& client, Layer& server, std::size_t piece) {
  std::string to_server = client.turn({});
  while (!to_server.empty()) {
    std::string answer;
    for (std::size_t from = 0; from < to_server.size(); from += piece) {
      answer += server.turn(std::string_view(to_server).substr(from, piece), echo);
    }
    to_server = client.turn(answer);
  }
}
// [/walk]

void connect(Layer& client, Layer& server, std::size_t piece = 1 << 20) {
  talk(client, server, piece);
  if (!client.connected() || !server.connected()) lab::fail("the handshake is not done");
}

// The text in each record. A record is a type, a version of two bytes, a size of two, and that
// many bytes, of which TLS 1.3 needs 17.
std::vector<std::size_t> records_in(std::string_view bytes) {
  std::vector<std::size_t> sizes;
  while (bytes.size() >= 5) {
    const auto at = [&](std::size_t index) { return static_cast<unsigned char>(bytes[index]); };
    const std::size_t size = std::size_t{at(3)} << 8U | at(4);
    sizes.push_back(size - 17);
    bytes.remove_prefix(std::min(bytes.size(), 5 + size));
  }
  return sizes;
}

// [walk questions]
void ask_five(Layer& client, Layer& server) {
  for (int question = 0; question < 5; ++question) client.write("how much?");
  const std::string asked = client.take();
  const unsigned before = server.writes();
  const std::string sent = server.turn(asked, echo);
  std::printf("5 questions in one receive: %u writes by OpenSSL, %zu bytes in one send\n",
              server.writes() - before, sent.size());
  client.turn(sent);
}
// [/walk]

void send_much(Layer& client, Layer& server) {
  server.write(std::string(200'000, 'a'));
  const std::string sent = server.take();
  const std::vector<std::size_t> sizes = records_in(sent);
  const auto small = static_cast<std::size_t>(std::count(sizes.begin(), sizes.end(), 1400));
  std::printf("200000 bytes: %zu records of 1400, then of %zu; ", small, sizes.at(small));
  std::size_t received = 0;
  client.turn(sent, [&](Layer&, std::string_view text) { received += text.size(); });
  std::printf("the client has read %zu\n", received);
}

const char* end_of(const Layer& client) {
  return client.heard_the_end() ? "that was all" : "was that all?";
}

// [walk tickets]
// Whether a session that one worker began goes on at the other.
const char* come_again(const lab::SelfSigned& certificate, TicketKeys* keys) {
  const auto ours = client_context();
  const auto first = worker_context(certificate, keys);
  const auto second = worker_context(certificate, keys);
  Layer client(*ours, Role::client);
  Layer server(*first, Role::server);
  connect(client, server);

  Layer again(*ours, Role::client);
  SSL_SESSION* const ticket = SSL_get1_session(client.ssl());
  SSL_set_session(again.ssl(), ticket);
  SSL_SESSION_free(ticket);
  Layer other_server(*second, Role::server);
  connect(again, other_server);
  return other_server.resumed() ? "resumed" : "a full handshake";
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  const lab::Lesson lesson(argc, argv);
  const lab::SelfSigned certificate = lab::make_self_signed();
  const auto ours = client_context();
  const auto theirs = worker_context(certificate, nullptr);
  {
    Layer client(*ours, Role::client);
    Layer server(*theirs, Role::server);
    connect(client, server, 1);
    std::printf("a handshake, byte by byte: done\n");
    ask_five(client, server);
    send_much(client, server);

    std::printf("a FIN alone: %s\n", end_of(client));
    client.turn(server.finish());
    std::printf("close_notify, then a FIN: %s\n", end_of(client));
  }
  TicketKeys keys;
  if (RAND_bytes(keys.data(), keys.size()) != 1) lab::fail("OpenSSL has no random numbers");
  std::printf("a ticket at another worker: %s\n", come_again(certificate, nullptr));
  std::printf("  if they have keys in common: %s\n", come_again(certificate, &keys));
  return lab::ok();
}
