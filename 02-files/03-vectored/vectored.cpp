// shows: one operation writes a header and a body that lie in different places, one reads them back
// needs: Linux 5.1
// try:   ./lab run 02-03; then give the header of the second read two bytes less
#include <fcntl.h>
#include <liburing.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "01-core/lesson.hpp"

namespace {

struct Header {
  std::uint32_t number;
  std::uint32_t body_size;
};

// [walk record]
// What the SQE points to: the pieces' addresses. The kernel reads this list when the SQE is
// submitted, and the pieces themselves until the CQE.
struct Record {
  Header header{};
  std::string body;
  std::array<iovec, 2> pieces{};

  void point() {
    pieces[0] = {.iov_base = &header, .iov_len = sizeof header};
    pieces[1] = {.iov_base = body.data(), .iov_len = body.size()};
  }
  std::uint64_t size() const { return sizeof header + body.size(); }
};
// [/walk]

void submit_and_wait_for_all(io_uring& ring, unsigned count) {
  lab::need(io_uring_submit_and_wait(&ring, count), "io_uring_submit_and_wait");
  for (unsigned index = 0; index < count; ++index) {
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
    std::printf("  %llu: %d bytes\n", io_uring_cqe_get_data64(cqe),
                lab::need(cqe->res, "readv or writev"));
    io_uring_cqe_seen(&ring, cqe);
  }
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  const std::string path = lab::temporary_folder() + "/records";
  const int fd = lab::need_errno(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), "open");
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);

  // [walk write]
  const std::string_view bodies[] = {"short", "somewhat longer"};
  std::array<Record, 2> written;
  std::uint64_t offset = 0;
  for (std::uint32_t number = 0; number < 2; ++number) {
    Record& record = written[number];
    record.header = {number + 1, static_cast<std::uint32_t>(bodies[number].size())};
    record.body = bodies[number];
    record.point();
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_writev(sqe, fd, record.pieces.data(), 2, offset);
    io_uring_sqe_set_data64(sqe, number + 1);
    offset += record.size();
  }
  std::printf("written\n");
  submit_and_wait_for_all(ring, 2);
  // [/walk]

  // [walk read]
  std::array<Record, 2> got;
  offset = 0;
  for (std::uint32_t number = 0; number < 2; ++number) {
    Record& record = got[number];
    record.body.resize(bodies[number].size());
    record.point();
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_readv(sqe, fd, record.pieces.data(), 2, offset);
    io_uring_sqe_set_data64(sqe, number + 1);
    offset += record.size();
  }
  // [/walk]
  std::printf("read\n");
  submit_and_wait_for_all(ring, 2);
  for (const Record& record : got) {
    std::printf("record %u, %u bytes: %s\n", record.header.number, record.header.body_size,
                record.body.c_str());
  }

  close(fd);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
