// shows: one SENDMSG_ZC sends what lies in many places, and answers twice for all of it
// needs: Linux 6.1
// try:   ./lab run 03-20; then let measure() try pieces of 1024 and of 65536 bytes
#include <liburing.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "03-network/loopback.hpp"

namespace {

constexpr std::size_t pieces = 8;

// [walk pieces]
// What a server has received, one buffer for each receive: they do not lie side by side.
using Pieces = std::array<std::vector<char>, pieces>;

Pieces make_pieces(std::size_t size) {
  Pieces made;
  for (std::size_t at = 0; at < pieces; ++at) made[at].assign(size, static_cast<char>('a' + at));
  return made;
}

std::array<iovec, pieces> list_of(Pieces& from) {
  std::array<iovec, pieces> list;
  for (std::size_t at = 0; at < pieces; ++at) list[at] = {from[at].data(), from[at].size()};
  return list;
}
// [/walk]

std::string in_order(const Pieces& from) {
  std::string whole;
  for (const std::vector<char>& piece : from) whole.append(piece.begin(), piece.end());
  return whole;
}

struct Cqes {
  int results = 0;
  int notifications = 0;
  std::size_t bytes = 0;
  std::size_t ended = 0;  // operations whose last CQE has come
};

// Reads CQEs until so many results are there, and so many operations have ended.
void read_until(io_uring& ring, Cqes& seen, int results, std::size_t ended) {
  while (seen.results < results || seen.ended < ended) {
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
    if ((cqe->flags & IORING_CQE_F_MORE) == 0) ++seen.ended;
    if ((cqe->flags & IORING_CQE_F_NOTIF) != 0) {
      ++seen.notifications;
    } else {
      ++seen.results;
      seen.bytes += static_cast<std::size_t>(lab::need(cqe->res, "a zero-copy send"));
    }
    io_uring_cqe_seen(&ring, cqe);
  }
}

// [walk one-each]
// One unfinished send per stream: the next begins when the result of the one before is there.
Cqes send_each(io_uring& ring, int server, Pieces& from, bool registered) {
  Cqes seen;
  for (std::size_t at = 0; at < pieces; ++at) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_send_zc(sqe, server, from[at].data(), from[at].size(), MSG_WAITALL, 0);
    if (registered) sqe->ioprio |= IORING_RECVSEND_FIXED_BUF;
    if (registered) sqe->buf_index = static_cast<std::uint16_t>(at);
    lab::need(io_uring_submit(&ring), "io_uring_submit");
    read_until(ring, seen, seen.results + 1, 0);
  }
  return seen;
}
// [/walk]

// [walk gathered]
Cqes send_gathered(io_uring& ring, int server, Pieces& from) {
  std::array<iovec, pieces> list = list_of(from);
  msghdr message{};
  message.msg_iov = list.data();
  message.msg_iovlen = list.size();
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_sendmsg_zc(sqe, server, &message, MSG_WAITALL);
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  Cqes seen;
  read_until(ring, seen, 1, 0);
  return seen;  // `list` may go now. What it points to may not.
}
// [/walk]

void set(int fd, int level, int option, int value) {
  lab::need_errno(setsockopt(fd, level, option, &value, sizeof value), "setsockopt");
}

// The notifications wait for the peer's ACK, which TCP may put off for 40 ms: not here.
std::string take_all(int client, std::size_t count) {
  std::string heard = lab::receive(client, count);
  set(client, IPPROTO_TCP, TCP_QUICKACK, 1);
  return heard;
}

void print(const char* what, const Cqes& seen, bool same) {
  std::printf("%s: %d results, %zu bytes, %d notifications; the same bytes: %s\n", what,
              seen.results, seen.bytes, seen.notifications, same ? "yes" : "no");
}

void prove(io_uring& ring, int server, int client) {
  constexpr std::size_t size = 4096;
  Pieces from = make_pieces(size);
  const std::string wanted = in_order(from);
  for (const bool gathers : {false, true}) {
    Cqes seen = gathers ? send_gathered(ring, server, from) : send_each(ring, server, from, false);
    const bool same = take_all(client, pieces * size) == wanted;
    read_until(ring, seen, 0, gathers ? 1 : pieces);
    print(gathers ? "one SENDMSG_ZC" : "one SEND_ZC a piece", seen, same);
  }
}

void keep_all_for_one(io_uring& ring, int server, int client) {
  // The server's socket can queue all of it, the client's window takes a part.
  set(server, SOL_SOCKET, SO_SNDBUF, 1 << 20);
  set(client, SOL_SOCKET, SO_RCVBUF, 1 << 15);
  constexpr std::size_t size = 16384;
  // [walk keeps]
  Pieces from = make_pieces(size);
  const std::string wanted = in_order(from);
  Cqes seen = send_gathered(ring, server, from);
  std::string heard = lab::receive(client, size);
  // The peer has the first piece, and still it is not ours.
  io_uring_cqe* cqe = nullptr;
  const bool waits = io_uring_peek_cqe(&ring, &cqe) == -EAGAIN;
  std::printf("the peer has the first piece; notification there: %s\n", waits ? "no" : "yes");
  heard += lab::receive(client, (pieces - 1) * size);
  read_until(ring, seen, 1, 1);
  // All of them are ours again, only now.
  for (std::vector<char>& piece : from) std::ranges::fill(piece, '-');
  // [/walk]
  print("the peer has all", seen, heard == wanted);
}

double cpu_us() {
  timespec now{};
  lab::need_errno(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now), "clock_gettime");
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

// In turns, so that what disturbs one disturbs the others: shown, and not judged.
void measure(io_uring& ring, int server, int client, std::size_t size) {
  constexpr std::size_t rounds = 100;
  Pieces from = make_pieces(size);
  const std::array<iovec, pieces> list = list_of(from);
  lab::need(io_uring_register_buffers(&ring, list.data(), pieces), "io_uring_register_buffers");
  std::array<std::vector<double>, 3> spent;
  for (std::size_t turn = 0; turn < spent.size() * rounds; ++turn) {
    const std::size_t way = turn % spent.size();
    const bool each = way < 2;
    double cpu = -cpu_us();
    Cqes seen = each ? send_each(ring, server, from, way == 1) : send_gathered(ring, server, from);
    cpu += cpu_us();
    take_all(client, pieces * size);
    cpu -= cpu_us();
    read_until(ring, seen, 0, each ? pieces : 1);
    spent[way].push_back(cpu + cpu_us());
  }
  lab::need(io_uring_unregister_buffers(&ring), "io_uring_unregister_buffers");
  for (std::vector<double>& way : spent) std::ranges::sort(way);
  std::printf("# %zu pieces of %5zu bytes: %6.1f us, %6.1f us, %6.1f us\n", pieces, size,
              spent[0][rounds / 2], spent[1][rounds / 2], spent[2][rounds / 2]);
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  io_uring_probe* probe = io_uring_get_probe_ring(&ring);
  const bool there = probe != nullptr && io_uring_opcode_supported(probe, IORING_OP_SENDMSG_ZC);
  io_uring_free_probe(probe);
  if (!there) lab::skip("SENDMSG_ZC needs Linux 6.1");
  const auto [server, client] = lab::connected_pair();
  set(server, IPPROTO_TCP, TCP_NODELAY, 1);
  prove(ring, server, client);
  std::printf("# CPU time: SEND_ZC each; the same from registered buffers; one SENDMSG_ZC\n");
  for (const std::size_t size : {4096U, 16384U}) measure(ring, server, client, size);
  keep_all_for_one(ring, server, client);
  close(server);
  close(client);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
