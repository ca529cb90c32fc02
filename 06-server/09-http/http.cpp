// shows: a web server on the engine: keep-alive, pipelining, HEAD, and requests with two readings
// needs: Linux 6.1 for the ring that the server uses; the protocol needs nothing
// try:   ./lab run 06-09 serve, then curl -v at the address that it prints
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "01-core/lesson.hpp"
#include "01-core/lib/features.hpp"
#include "03-network/loopback.hpp"
#include "06-server/08-your-protocol/memory_io.hpp"
#include "06-server/09-http/careless.hpp"
#include "06-server/09-http/client.hpp"
#include "06-server/09-http/website.hpp"
#include "06-server/lib/engine/worker.hpp"
#include "06-server/stage.hpp"

namespace {

using client::Answer;
using client::next_answer;
using client::request;

const std::string book(1 << 20, 'b');
const std::array pages{
    web::Page{.path = "/", .type = "text/html", .body = "<h1>Home</h1>\n"},
    web::Page{.path = "/about", .type = "text/html", .body = "<h1>About</h1>\n"},
    web::Page{.path = "/book", .type = "text/plain", .body = book},
};

// [walk keep-alive]
void keep_alive(std::uint16_t port) {
  const int fd = lab::connect_to(port);
  for (const char* what : {"GET /", "GET /about"}) {
    lab::send_all(fd, request(what));
    const Answer answer = next_answer(fd);
    std::printf("%s: %s, %zu bytes\n", what, answer.status.c_str(), answer.body.size());
  }
  close(fd);
}
// [/walk]

// [walk pipeline]
// Until every connection is closed: then everything that it did is counted.
void await_rest(lab::WorkerStats& stats) {
  while (stats.get(lab::Stat::closed) != stats.get(lab::Stat::accepted)) sched_yield();
}

// All requests in one write.
void pipeline(std::uint16_t port, lab::WorkerStats& stats) {
  await_rest(stats);
  const std::uint64_t sends = stats.get(lab::Stat::sends);
  const int fd = lab::connect_to(port);
  lab::send_all(fd, request("GET /") + request("GET /none") + request("POST /") +
                        request("BREW /") + request("GET /about", "Connection: close\r\n"));
  std::printf("5 requests in one write:\n");
  for (int i = 0; i < 5; ++i) std::printf("  %s\n", next_answer(fd).status.c_str());
  close(fd);
  await_rest(stats);
  std::printf("sends for the 5 answers: %lu\n", stats.get(lab::Stat::sends) - sends);
}
// [/walk]

// [walk head]
void head(std::uint16_t port) {
  const int fd = lab::connect_to(port);
  lab::send_all(fd, request("HEAD /") + request("GET /about"));
  const Answer first = next_answer(fd, true);
  std::printf("HEAD /: %s, %zu bytes promised\n", first.status.c_str(), first.promised);
  std::printf("the answer behind it: %s\n", next_answer(fd).status.c_str());
  close(fd);
}
// [/walk]

// [walk smuggle]
// Two careless parsers on the way of this request, for example a proxy and the server behind it.
void smuggle(std::uint16_t port, const char* what, const std::string& bytes, careless::Parser one,
             careless::Parser other) {
  std::printf("%s: one parser sees %d requests, another %d\n", what,
              careless::requests_in(bytes, one), careless::requests_in(bytes, other));
  const int fd = lab::connect_to(port);
  lab::send_all(fd, bytes);
  const std::string status = next_answer(fd).status;
  std::printf("  this server: %s, then %s\n", status.c_str(),
              lab::receive(fd, 1).empty() ? "the end" : "more");
  close(fd);
}
// [/walk]

// [walk half-close]
// The client has said everything. That is no wish to hear nothing.
void half_close(std::uint16_t port) {
  const int fd = lab::connect_to(port);
  lab::send_all(fd, request("GET /book"));
  lab::need_errno(shutdown(fd, SHUT_WR), "shutdown");
  const Answer answer = next_answer(fd);
  std::printf("GET /book, then a half-close: %zu of %zu bytes\n", answer.body.size(),
              answer.promised);
  close(fd);
}
// [/walk]

// [walk cuts]
// In memory, as in 06-08: the requests come in two pieces, cut at each byte.
std::string hear_in_memory(std::string_view requests, std::size_t cut) {
  web::Website::Shared shared{.pages = pages, .now_s = [] { return std::int64_t{0}; }};
  memory::Io io({});
  web::Website website(shared);
  io.deliver(website, requests.substr(0, cut));
  io.deliver(website, requests.substr(cut));
  return io.heard;
}
// [/walk]

void demonstrate(std::uint16_t port, lab::WorkerStats& stats) {
  keep_alive(port);
  pipeline(port, stats);
  head(port);
  const std::string hidden = request("GET /about");
  const std::string length = "Content-Length: " + std::to_string(hidden.size()) + "\r\n";
  smuggle(port, "Content-Length twice",
          request("POST /", "Content-Length: 0\r\n" + length) + hidden,
          {.last_length_wins = false, .trims_names = false},
          {.last_length_wins = true, .trims_names = false});
  smuggle(port, "\"Transfer-Encoding : chunked\"",
          request("POST /", "Content-Length: " + std::to_string(hidden.size() + 5) +
                                "\r\nTransfer-Encoding : chunked\r\n") +
              "0\r\n\r\n" + hidden,
          {.last_length_wins = false, .trims_names = true},
          {.last_length_wins = false, .trims_names = false});
  half_close(port);
}

}  // namespace

int main(int argc, char** argv) {
  const bool serves = stage::wants_to_serve(argc, argv);
  lab::Lesson lesson(argc, argv, "[serve]: serves until SIGTERM; without: a demonstration",
                     serves ? 86'400 : 10);
  const lab::Features features = lab::Features::detect();
  lab::WorkerStats stats;
  web::Website::Shared shared{.pages = pages};
  lab::Worker<web::Website> worker(
      {.connections_max = 64, .buffer_count = 256, .buffer_size = 4096, .pooled_count = 64},
      features, stats, shared);
  lesson.watch(*worker.ring().raw());
  std::uint16_t port = 0;
  const int listener = stage::listener(port);
  worker.start(listener, -1);
  if (serves) {
    std::printf("listening on 127.0.0.1:%u; try: curl -v http://127.0.0.1:%u/\n", port, port);
    worker.run();
  }

  std::atomic<bool> done = false;
  lab::ClientThread client([&] {
    demonstrate(port, stats);
    done = true;
  });
  while (!done) worker.run_once();  // returns after 25 ms at the latest, for its tick
  worker.drain();
  if (!worker.run()) lab::fail("something is still in flight");
  client.join();
  close(listener);

  const std::string requests = request("GET /") + request("HEAD /about") + request("GET /none");
  std::size_t same = 0;
  const std::string whole = hear_in_memory(requests, 0);
  for (std::size_t cut = 0; cut <= requests.size(); ++cut) {
    if (hear_in_memory(requests, cut) == whole) ++same;
  }
  std::printf("3 requests, cut at each of %zu places: %zu times the same answers\n",
              requests.size() + 1, same);
  return lab::ok();
}
