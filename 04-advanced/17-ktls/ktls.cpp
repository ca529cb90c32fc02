// shows: TLS in the kernel: after the handshake an ordinary send and receive speak it
// needs: Linux 6.1 with CONFIG_TLS (many kernels have it as the module tls)
// try:   ./lab run 04-17; where it skips, docs/kernels-in-a-box.md helps
#include <liburing.h>
#include <linux/tls.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"

namespace {

// [walk add-tls]
// 0: done. -ENOENT: this kernel has no TLS, nor a module that it may load.
int add_tls(int fd) { return setsockopt(fd, SOL_TCP, TCP_ULP, "tls", 3) < 0 ? -errno : 0; }
// [/walk]

// [walk key]
// The kernel makes no handshake. What a handshake would have agreed on is here, and is not secret:
// a key for each direction, and how many records each has seen.
void give_key(int fd, int direction, char key_byte) {
  tls12_crypto_info_aes_gcm_128 info{};
  info.info.version = TLS_1_2_VERSION;
  info.info.cipher_type = TLS_CIPHER_AES_GCM_128;
  std::memset(info.key, key_byte, sizeof info.key);
  std::memset(info.salt, key_byte, sizeof info.salt);
  const int result = setsockopt(fd, SOL_TLS, direction, &info, sizeof info);
  if (result < 0 && errno == ENOENT) lab::skip("needs AES-GCM in the kernel: the module gcm");
  lab::need_errno(result, "the key");
}
// [/walk]

void give_keys(int fd, char sends_with, char receives_with) {
  give_key(fd, TLS_TX, sends_with);
  give_key(fd, TLS_RX, receives_with);
}

io_uring_cqe answer(io_uring& ring) {
  lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  const io_uring_cqe copy{.user_data = cqe->user_data, .res = cqe->res, .flags = cqe->flags};
  io_uring_cqe_seen(&ring, cqe);
  return copy;
}

int send_text(io_uring& ring, int fd, std::string_view text) {
  io_uring_prep_send(io_uring_get_sqe(&ring), fd, text.data(), text.size(), 0);
  return answer(ring).res;
}

const char* in_words(int res) { return res < 0 ? std::strerror(-res) : "works"; }

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    std::array<char, 4> digits{};
    std::snprintf(digits.data(), digits.size(), " %02x", static_cast<unsigned char>(byte));
    text += digits.data();
  }
  return text;
}

// The client has no TLS here, and so it sees what a stranger on the way would see.
void show_wire(io_uring& ring) {
  const auto [server, client] = lab::connected_pair();
  const int added = add_tls(server);
  if (added == -ENOENT) lab::skip("needs a kernel with CONFIG_TLS: TCP_ULP answers ENOENT");
  lab::need(added, "TCP_ULP");
  // [walk wire]
  give_key(server, TLS_TX, 's');
  const int res = send_text(ring, server, "hello");
  const std::string wire = lab::receive(client, 34);
  std::printf("sent %d bytes, on the wire %zu:%s ...\n", res, wire.size(),
              hex(wire.substr(0, 5)).c_str());
  // [/walk]
  std::printf("# nonce:%s, data:%s\n", hex(wire.substr(5, 8)).c_str(),
              hex(wire.substr(13, 5)).c_str());
  std::printf("# tag:%s\n", hex(wire.substr(18)).c_str());
  std::printf("\"hello\" is among them: %s\n", wire.find("hello") < 34 ? "yes" : "no");
  close(server);
  close(client);
}

// A record has a type. Data is 23. An alert, here "I close", is 21, and travels beside the data.
void send_alert(int fd) {
  char alert[2] = {1, 0};
  iovec bytes{.iov_base = alert, .iov_len = sizeof alert};
  alignas(cmsghdr) char control[CMSG_SPACE(1)]{};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_TLS;
  header->cmsg_type = TLS_SET_RECORD_TYPE;
  header->cmsg_len = CMSG_LEN(1);
  *CMSG_DATA(header) = 21;
  lab::need_errno(static_cast<int>(sendmsg(fd, &message, 0)), "sendmsg");
}

void show_multishot(io_uring& ring, int server, int client) {
  constexpr unsigned count = 4;
  constexpr unsigned size = 64;
  static std::array<std::array<char, size>, count> buffers;
  int error = 0;
  io_uring_buf_ring* provided = io_uring_setup_buf_ring(&ring, count, 1, 0, &error);
  lab::need(error, "io_uring_setup_buf_ring");
  for (unsigned short id = 0; id < count; ++id) {
    io_uring_buf_ring_add(provided, buffers[id].data(), size, id, io_uring_buf_ring_mask(count),
                          id);
  }
  io_uring_buf_ring_advance(provided, count);

  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_recv_multishot(sqe, client, nullptr, 0, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = 1;
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  // [walk data]
  for (const std::string_view text : {"one", "two", "three"}) {
    lab::send_all(server, text);
    const io_uring_cqe cqe = answer(ring);
    lab::need(cqe.res, "the multishot receive");
    const unsigned id = cqe.flags >> IORING_CQE_BUFFER_SHIFT;
    std::printf("multishot receive: \"%.*s\"%s\n", cqe.res, buffers.at(id).data(),
                (cqe.flags & IORING_CQE_F_MORE) != 0 ? ", goes on" : "");
  }
  send_alert(server);
  const io_uring_cqe last = answer(ring);
  std::printf("an alert comes, multishot receive: %s%s\n", in_words(last.res),
              (last.flags & IORING_CQE_F_MORE) != 0 ? ", goes on" : ", ended");
  // [/walk]
  lab::need(io_uring_free_buf_ring(&ring, provided, count, 1), "io_uring_free_buf_ring");
}

// The type comes in a control message, and only recvmsg has room for one.
void show_alert(io_uring& ring, int client) {
  char bytes[64];
  io_uring_prep_recv(io_uring_get_sqe(&ring), client, bytes, sizeof bytes, 0);
  std::printf("recv, once more: %s\n", in_words(answer(ring).res));

  // [walk recvmsg]
  iovec room{.iov_base = bytes, .iov_len = sizeof bytes};
  alignas(cmsghdr) char control[CMSG_SPACE(1)]{};
  msghdr message{};
  message.msg_iov = &room;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  io_uring_prep_recvmsg(io_uring_get_sqe(&ring), client, &message, 0);
  const int res = answer(ring).res;
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  std::printf("recvmsg: %d bytes of type %d\n", res, header != nullptr ? *CMSG_DATA(header) : -1);
  // [/walk]
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  show_wire(ring);

  const auto [server, client] = lab::connected_pair();
  // [walk both]
  lab::need(add_tls(server), "TCP_ULP");
  lab::need(add_tls(client), "TCP_ULP");
  give_keys(server, 's', 'c');
  give_keys(client, 'c', 's');
  char bytes[64];
  std::printf("client sends: %d\n", send_text(ring, client, "request"));
  io_uring_prep_recv(io_uring_get_sqe(&ring), server, bytes, sizeof bytes, 0);
  const int res = lab::need(answer(ring).res, "the receive");
  std::printf("server receives: \"%.*s\"\n", res, bytes);
  // [/walk]

  show_multishot(ring, server, client);
  show_alert(ring, client);

  io_uring_prep_send_zc(io_uring_get_sqe(&ring), server, "x", 1, 0, 0);
  const io_uring_cqe cqe = answer(ring);
  std::printf("send_zc: %s\n", in_words(cqe.res));
  if ((cqe.flags & IORING_CQE_F_MORE) != 0) answer(ring);
  close(server);
  close(client);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
