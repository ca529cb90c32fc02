// shows: one SQE that receives every datagram with its sender's address, and an answer to each
// needs: Linux 6.0 (a multishot recvmsg)
// try:   ./lab run 03-16; then make the buffers 64 bytes and see what still fits
#include <liburing.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"

namespace {

constexpr unsigned buffer_count = 4;
constexpr unsigned buffer_size = 128;
constexpr int group = 1;

struct Server {
  io_uring ring{};
  int fd = -1;
  io_uring_buf_ring* provided = nullptr;
  std::array<std::array<char, buffer_size>, buffer_count> buffers{};
  // What a receive shall leave room for in front of the payload. The SQE points to it, so it stays.
  msghdr room{};
};

void give_back(Server& server, unsigned id) {
  io_uring_buf_ring_add(server.provided, server.buffers.at(id).data(), buffer_size,
                        static_cast<unsigned short>(id), io_uring_buf_ring_mask(buffer_count), 0);
  io_uring_buf_ring_advance(server.provided, 1);
}

void start_receive(Server& server) {
  server.room.msg_namelen = sizeof(sockaddr_in);
  io_uring_sqe* sqe = io_uring_get_sqe(&server.ring);
  io_uring_prep_recvmsg_multishot(sqe, server.fd, &server.room, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = group;
}

io_uring_cqe next_cqe(Server& server) {
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_submit_and_wait(&server.ring, 1), "io_uring_submit_and_wait");
  lab::need(io_uring_peek_cqe(&server.ring, &cqe), "io_uring_peek_cqe");
  const io_uring_cqe copy{.user_data = cqe->user_data, .res = cqe->res, .flags = cqe->flags};
  io_uring_cqe_seen(&server.ring, cqe);
  return copy;
}

// The buffer holds a header of four lengths, then the sender's address, then the payload. liburing
// finds the parts.
void answer_one(Server& server) {
  const io_uring_cqe received = next_cqe(server);
  const int size = lab::need(received.res, "recvmsg");
  const unsigned id = received.flags >> IORING_CQE_BUFFER_SHIFT;
  io_uring_recvmsg_out* out =
      io_uring_recvmsg_validate(server.buffers.at(id).data(), size, &server.room);
  if (out == nullptr) lab::fail("the buffer is too small for the header and the address");
  const unsigned length = io_uring_recvmsg_payload_length(out, size, &server.room);
  std::printf("  %u bytes of payload%s, address of %u bytes, F_MORE: %s\n", length,
              (out->flags & MSG_TRUNC) != 0 ? " (cut off)" : "", out->namelen,
              (received.flags & IORING_CQE_F_MORE) != 0 ? "yes" : "no");

  // The answer goes out from where the question lies; the buffer goes home after the send's CQE.
  iovec payload{.iov_base = io_uring_recvmsg_payload(out, &server.room), .iov_len = length};
  msghdr message{};
  message.msg_name = io_uring_recvmsg_name(out);
  message.msg_namelen = out->namelen;
  message.msg_iov = &payload;
  message.msg_iovlen = 1;
  io_uring_sqe* sqe = io_uring_get_sqe(&server.ring);
  io_uring_prep_sendmsg(sqe, server.fd, &message, 0);
  lab::need(next_cqe(server).res, "sendmsg");
  give_back(server, id);
}

int udp_socket(std::uint16_t& port) {
  const int fd = lab::need_errno(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
  sockaddr_in address = lab::loopback_address(0);
  socklen_t size = sizeof address;
  lab::need_errno(bind(fd, reinterpret_cast<sockaddr*>(&address), size), "bind");
  lab::need_errno(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
  port = ntohs(address.sin_port);
  return fd;
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  Server server;
  lab::need(io_uring_queue_init(8, &server.ring, 0), "io_uring_queue_init");
  lesson.watch(server.ring);
  std::uint16_t port = 0;
  server.fd = udp_socket(port);
  int error = 0;
  server.provided = io_uring_setup_buf_ring(&server.ring, buffer_count, group, 0, &error);
  lab::need(error, "io_uring_setup_buf_ring");
  for (unsigned id = 0; id < buffer_count; ++id) give_back(server, id);
  start_receive(server);

  const sockaddr_in address = lab::loopback_address(port);
  for (const std::string& text :
       {std::string("one"), std::string("three"), std::string(200, 'x')}) {
    std::uint16_t own_port = 0;
    const int client = udp_socket(own_port);
    std::printf("a client sends %zu bytes\n", text.size());
    lab::need_errno(
        static_cast<int>(sendto(client, text.data(), text.size(), 0,
                                reinterpret_cast<const sockaddr*>(&address), sizeof address)),
        "sendto");
    answer_one(server);
    char reply[256];
    std::printf("  it reads %zd bytes\n", recv(client, reply, sizeof reply, 0));
    close(client);
  }

  close(server.fd);
  io_uring_free_buf_ring(&server.ring, server.provided, buffer_count, group);
  io_uring_queue_exit(&server.ring);
  return lab::ok();
}
