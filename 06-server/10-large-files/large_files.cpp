// shows: a file that is not in memory, sent in three ways: read and send, splice, all at once
// needs: Linux 5.7
// try:   ./lab run 06-10; then with a piece of 4 KiB in measure(): what does a system call cost?
#include <liburing.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"
#include "05-performance/knob.hpp"
#include "06-server/10-large-files/peers.hpp"
#include "06-server/10-large-files/stalled.hpp"
#include "06-server/10-large-files/ways.hpp"

namespace {

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;
constexpr std::uint64_t file_size = 4 * mib;
constexpr std::uint64_t sparse_size = 5 * 1024 * mib;

std::string numbered(std::size_t size) {
  std::string text;
  for (std::uint64_t line = 0; text.size() < size; ++line) text += std::to_string(line) + '\n';
  return text.substr(0, size);
}

// A file of this size that ends with `end`. What is in front of it is a hole: zeros, and no memory.
int make_file(std::uint64_t size, std::string_view end) {
  const int fd = lab::need_errno(memfd_create("file", MFD_CLOEXEC), "memfd_create");
  lab::need_errno(ftruncate(fd, static_cast<off_t>(size)), "ftruncate");
  const ssize_t wrote = pwrite(fd, end.data(), end.size(), static_cast<off_t>(size - end.size()));
  if (wrote != static_cast<ssize_t>(end.size())) lab::need_errno(-1, "pwrite");
  return fd;
}

// [walk measure]
// The client's own process throws away what it gets: the CPU time is that of the sending side.
template <class Way>
auto round_of(Way& way, peers::Discarding& client, int file) {
  return [&way, &client, file] {
    client.expect(file_size);
    if (!way.send({file, 0, file_size}, client.server())) lab::fail("the file has shrunk");
    client.wait();
    return lab::Round{.operations = file_size / kib};
  };
}
// [/walk]

void measure(const lab::Lesson& lesson, io_uring& ring, peers::Discarding& client, int file) {
  ways::ReadAndSend small(ring, 16 * kib);
  ways::ReadAndSend medium(ring, 64 * kib);
  ways::ReadAndSend large(ring, 256 * kib);
  ways::Splice pipe(ring, 64 * kib);
  ways::Splice wide_pipe(ring, mib);
  ways::AllAtOnce all(ring, file_size);
  lab::Knob knob(lesson, {.name = "ways",
                          .title = "A file of 4 MiB over loopback, its pages in memory",
                          .operation = "KiB"});
  knob.add("read and send, 16 KiB", round_of(small, client, file));
  knob.add("read and send, 64 KiB", round_of(medium, client, file));
  knob.add("read and send, 256 KiB", round_of(large, client, file));
  knob.add("splice, pipe of 64 KiB", round_of(pipe, client, file));
  knob.add("splice, pipe of 1 MiB", round_of(wide_pipe, client, file));
  knob.add("all at once", round_of(all, client, file));
  knob.run();
}

// [walk deliver]
// Whether the client receives exactly these bytes, and the end behind them.
template <class Way>
const char* deliver(Way& way, const ways::Range& range, const std::string& wanted) {
  peers::Connection connection;
  std::string received;
  lab::ClientThread client([&] { received = lab::receive(connection.client, wanted.size() + 1); });
  connection.end(way.send(range, connection.server));
  client.join();
  return received == wanted ? "the same bytes" : "other bytes";
}
// [/walk]

// [walk shrink]
// The client shortens the file as soon as it has the first byte. No socket holds as much as is
// left.
template <class Way>
const char* shrink(Way& way) {
  constexpr std::uint64_t size = 64 * mib;
  const int file = make_file(size, "the end");
  peers::Connection connection;
  ssize_t last = 0;
  lab::ClientThread client([&] {
    lab::receive(connection.client, 1);
    lab::need_errno(ftruncate(file, mib), "ftruncate");
    std::array<char, 4096> bytes;
    while ((last = recv(connection.client, bytes.data(), bytes.size(), 0)) > 0) {
    }
  });
  connection.end(way.send({file, 0, size}, connection.server));
  client.join();
  close(file);
  return last < 0 ? "an error" : "an end like any other";
}
// [/walk]

// [walk overwrite]
// What the client reads when the file is overwritten behind the send.
template <class Way>
std::string overwrite(Way& way) {
  const int file = make_file(3, "old");
  peers::Connection connection;
  way.send({file, 0, 3}, connection.server);
  lab::need_errno(static_cast<int>(pwrite(file, "new", 3, 0)), "pwrite");
  close(file);
  return lab::receive(connection.client, 3);
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, lab::Knob::usage, 30);
  peers::Discarding client;
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);

  const std::string text = numbered(file_size);
  const int file = make_file(file_size, text);
  ways::ReadAndSend read_and_send(ring, 64 * kib);
  ways::Splice splice(ring, 64 * kib);
  ways::AllAtOnce all(ring, file_size);
  std::printf("4 clients that do not read: sends keep %u threads, ", stalled::threads(ring, false));
  std::printf("splices %u\n", stalled::threads(ring, true));
  measure(lesson, ring, client, file);

  const ways::Range whole{file, 0, file_size};
  std::printf("4 MiB, read and send: %s, %zu KiB of memory\n", deliver(read_and_send, whole, text),
              read_and_send.memory() / kib);
  std::printf("4 MiB, splice:        %s, %zu KiB of memory\n", deliver(splice, whole, text),
              splice.memory() / kib);
  std::printf("4 MiB, all at once:   %s, %zu KiB of memory\n", deliver(all, whole, text),
              all.memory() / kib);
  const std::string end = numbered(mib);
  const int sparse = make_file(sparse_size, end);
  const ways::Range last_mib{sparse, sparse_size - mib, mib};
  std::printf("the last MiB of 5 GiB: %s, %s\n", deliver(read_and_send, last_mib, end),
              deliver(splice, last_mib, end));
  std::printf("the file shrinks: the client sees %s, %s\n", shrink(read_and_send), shrink(splice));
  std::printf("\"old\" is sent, then overwritten by \"new\":\n  read and send delivers: \"%s\"\n",
              overwrite(read_and_send).c_str());
  const std::string spliced = overwrite(splice);
  lab::effect(spliced == "new", "  splice delivers", "the client got \"" + spliced + "\"",
              "\"new\"", "A loopback without scatter-gather copies");
  for (const int fd : {file, sparse}) close(fd);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
