// shows: one SQE that receives every datagram with its sender's address, and a reply to each
// needs: Linux 6.0 (a multishot recvmsg)
// try:   ./lab run 03-16; then make the buffers 64 bytes and see what still fits
#include <liburing.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <string>

#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"

namespace {

constexpr unsigned buffer_count = 4;
constexpr unsigned buffer_size = 128;
constexpr int group = 1;
// [walk marks]
// The receive stays armed while replies are in flight, so a CQE has to say whose it is: the
// receive's mark, or the number of the buffer that a reply is sent from.
constexpr std::uint64_t receive_mark = buffer_count;

// What describes a reply. The SQE points to it, so it stays as it is until the send's CQE.
struct Reply {
  iovec payload{};
  msghdr message{};
};
// [/walk]

struct Server {
  io_uring ring{};
  int fd = -1;
  io_uring_buf_ring* provided = nullptr;
  std::array<std::array<char, buffer_size>, buffer_count> buffers{};
  std::array<Reply, buffer_count> replies{};  // one for each buffer
  // How much room a receive leaves for the address in front of the payload. The SQE points to it.
  msghdr room{};
  bool armed = false;  // true until a CQE of the receive comes without F_MORE
  unsigned replied = 0;
};

void give_back(Server& server, unsigned id) {
  io_uring_buf_ring_add(server.provided, server.buffers.at(id).data(), buffer_size,
                        static_cast<unsigned short>(id), io_uring_buf_ring_mask(buffer_count), 0);
  io_uring_buf_ring_advance(server.provided, 1);
}

// [walk receive]
void start_receive(Server& server) {
  server.room.msg_namelen = sizeof(sockaddr_in);
  io_uring_sqe* sqe = io_uring_get_sqe(&server.ring);
  io_uring_prep_recvmsg_multishot(sqe, server.fd, &server.room, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = group;
  io_uring_sqe_set_data64(sqe, receive_mark);
  server.armed = true;
}
// [/walk]

// [walk reply]
// The reply goes out from where the payload lies, so the buffer comes home with the send's CQE.
void start_reply(Server& server, unsigned id, io_uring_recvmsg_out& out, unsigned length) {
  Reply& reply = server.replies.at(id);
  reply.payload = {.iov_base = io_uring_recvmsg_payload(&out, &server.room), .iov_len = length};
  reply.message = {.msg_name = io_uring_recvmsg_name(&out),
                   .msg_namelen = out.namelen,
                   .msg_iov = &reply.payload,
                   .msg_iovlen = 1};
  io_uring_sqe* sqe = io_uring_get_sqe(&server.ring);
  io_uring_prep_sendmsg(sqe, server.fd, &reply.message, 0);
  io_uring_sqe_set_data64(sqe, id);
}
// [/walk]

// [walk datagram]
// The buffer holds a header of four lengths, then the sender's address, then the payload. liburing
// finds the parts.
void on_datagram(Server& server, int size, unsigned flags) {
  const unsigned id = flags >> IORING_CQE_BUFFER_SHIFT;
  io_uring_recvmsg_out* out =
      io_uring_recvmsg_validate(server.buffers.at(id).data(), size, &server.room);
  if (out == nullptr) lab::fail("the buffer is too small for the header and the address");
  const unsigned length = io_uring_recvmsg_payload_length(out, size, &server.room);
  std::printf("  %u bytes of payload%s, address of %u bytes, F_MORE: %s\n", length,
              (out->flags & MSG_TRUNC) != 0 ? " (cut off)" : "", out->namelen,
              (flags & IORING_CQE_F_MORE) != 0 ? "yes" : "no");
  start_reply(server, id, *out, length);
}
// [/walk]

// [walk ends]
void on_receive(Server& server, int res, unsigned flags) {
  server.armed = (flags & IORING_CQE_F_MORE) != 0;
  // Without a free buffer a new receive would end at once. The next reply's end starts it.
  if (res == -ENOBUFS) return;
  on_datagram(server, lab::need(res, "recvmsg"), flags);
  if (!server.armed) start_receive(server);
}
// [/walk]

// [walk on-reply]
void on_reply(Server& server, unsigned id, int res) {
  lab::need(res, "sendmsg");
  ++server.replied;
  give_back(server, id);
  if (!server.armed) start_receive(server);
}
// [/walk]

// [walk one]
void handle_one(Server& server) {
  io_uring_cqe* next = nullptr;
  lab::need(io_uring_submit_and_wait(&server.ring, 1), "io_uring_submit_and_wait");
  lab::need(io_uring_peek_cqe(&server.ring, &next), "io_uring_peek_cqe");
  const std::uint64_t mark = io_uring_cqe_get_data64(next);
  const int res = next->res;
  const unsigned flags = next->flags;
  io_uring_cqe_seen(&server.ring, next);
  mark == receive_mark ? on_receive(server, res, flags)
                       : on_reply(server, static_cast<unsigned>(mark), res);
}
// [/walk]

// Also fills in the address: the kernel chooses the port.
int udp_socket(sockaddr_in& address) {
  const int fd = lab::need_errno(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
  address = lab::loopback_address(0);
  socklen_t size = sizeof address;
  lab::need_errno(bind(fd, reinterpret_cast<sockaddr*>(&address), size), "bind");
  lab::need_errno(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
  return fd;
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  Server server;
  lab::need(io_uring_queue_init(8, &server.ring, 0), "io_uring_queue_init");
  lesson.watch(server.ring);
  sockaddr_in address{}, client_address{};
  server.fd = udp_socket(address);
  int error = 0;
  server.provided = io_uring_setup_buf_ring(&server.ring, buffer_count, group, 0, &error);
  lab::need(error, "io_uring_setup_buf_ring");
  for (unsigned id = 0; id < buffer_count; ++id) give_back(server, id);
  start_receive(server);

  for (const std::string& text :
       {std::string("one"), std::string("three"), std::string(200, 'x')}) {
    const int client = udp_socket(client_address);
    std::printf("a client sends %zu bytes\n", text.size());
    const ssize_t sent = sendto(client, text.data(), text.size(), 0,
                                reinterpret_cast<const sockaddr*>(&address), sizeof address);
    lab::need_errno(static_cast<int>(sent), "sendto");
    for (const unsigned before = server.replied; server.replied == before;) handle_one(server);
    char reply[256];
    std::printf("  it reads %zd bytes\n", recv(client, reply, sizeof reply, 0));
    close(client);
  }

  close(server.fd);
  io_uring_free_buf_ring(&server.ring, server.provided, buffer_count, group);
  io_uring_queue_exit(&server.ring);
  return lab::ok();
}
