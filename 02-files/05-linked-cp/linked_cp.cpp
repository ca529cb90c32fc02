// shows: read and write as a chain, and the last block of a file, which breaks it
// needs: Linux 5.6
// try:   ./lab run 02-05 8192: a file of whole blocks; then ./lab break 02-05
#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

#include "01-core/lesson.hpp"

namespace {

constexpr unsigned block_size = 4096;
enum Step : std::uint64_t { reading, writing };

struct Results {
  int read = 0;
  int write = 0;
};

// [walk chain]
// Two SQEs, one submit. The write starts when the read is done, without a way back to us. It has to
// name its size now, before anybody knows how much the read will bring.
Results run_chain(io_uring& ring, int from, int to, char* memory, std::uint64_t offset) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_read(sqe, from, memory, block_size, offset);
  io_uring_sqe_set_flags(sqe, IOSQE_IO_LINK);
  io_uring_sqe_set_data64(sqe, reading);
  sqe = io_uring_get_sqe(&ring);
  io_uring_prep_write(sqe, to, memory, block_size, offset);
  io_uring_sqe_set_data64(sqe, writing);
  lab::need(io_uring_submit_and_wait(&ring, 2), "io_uring_submit_and_wait");

  Results results;
  for (int count = 0; count < 2; ++count) {
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
    (io_uring_cqe_get_data64(cqe) == reading ? results.read : results.write) = cqe->res;
    io_uring_cqe_seen(&ring, cqe);
  }
  return results;
}
// [/walk]

int write_alone(io_uring& ring, int to, const char* memory, unsigned size, std::uint64_t offset) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_write(sqe, to, memory, size, offset);
  lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  const int res = cqe->res;
  io_uring_cqe_seen(&ring, cqe);
  return res;
}

std::string in_words(int res) { return res < 0 ? std::strerror(-res) : std::to_string(res); }

// [walk copy]
std::uint64_t copy(io_uring& ring, int from, int to) {
  std::array<char, block_size> memory;
  std::uint64_t offset = 0;
  for (;;) {
    Results results = run_chain(ring, from, to, memory.data(), offset);
    std::printf("read %s, write %s\n", in_words(results.read).c_str(),
                in_words(results.write).c_str());
    if (lab::need(results.read, "read") == 0) return offset;
    // A short read counts as a failure of the chain, and its bytes are in our memory all the same.
    if (results.write == -ECANCELED) {
      const auto size = static_cast<unsigned>(results.read);
      results.write = write_alone(ring, to, memory.data(), size, offset);
      std::printf("  write alone: %s\n", in_words(results.write).c_str());
    }
    offset += static_cast<unsigned>(lab::need(results.write, "write"));
  }
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, "[size]: of the file that is copied (default 10000)");
  const auto size = static_cast<std::size_t>(lesson.argument(1, 10'000, 0, 1'000'000));
  const std::string folder = lab::temporary_folder();
  const int flags = O_RDWR | O_CREAT | O_CLOEXEC;
  const int from = lab::need_errno(open((folder + "/from").c_str(), flags, 0600), "open");
  const int to = lab::need_errno(open((folder + "/to").c_str(), flags, 0600), "open");
  const std::string bytes(size, 'x');
  lab::need_errno(static_cast<int>(write(from, bytes.data(), bytes.size())), "write");

  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  const std::uint64_t copied = copy(ring, from, to);
  std::printf("copied %llu of %zu bytes\n", static_cast<unsigned long long>(copied), size);

  close(from);
  close(to);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
