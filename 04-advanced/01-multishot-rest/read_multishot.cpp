// shows: a read as a multishot operation: on a pipe, and on inotify, which tells of changed files
// needs: Linux 6.7
// try:   ./lab run 04-01 read_multishot; then give it 4 buffers, and see which end is gone
#include <fcntl.h>
#include <liburing.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>

#include "01-core/lesson.hpp"

namespace {

constexpr int group = 1;
constexpr unsigned buffer_count = 2;
constexpr unsigned buffer_size = 512;  // inotify wants room for a whole event with its name

struct Buffers {
  io_uring_buf_ring* provided = nullptr;
  alignas(inotify_event) std::array<std::array<char, buffer_size>, buffer_count> bytes{};

  void give(unsigned id) {
    io_uring_buf_ring_add(provided, bytes.at(id).data(), buffer_size,
                          static_cast<unsigned short>(id), io_uring_buf_ring_mask(buffer_count), 0);
    io_uring_buf_ring_advance(provided, 1);
  }
};

// No address: the kernel takes a buffer of the group each time it reads.
void arm_read(io_uring& ring, int fd) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_read_multishot(sqe, fd, 0, 0, group);
  lab::need(io_uring_submit(&ring), "io_uring_submit");
}

io_uring_cqe next_cqe(io_uring& ring) {
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  const io_uring_cqe copy = *cqe;
  io_uring_cqe_seen(&ring, cqe);
  if (copy.res == -EINVAL) lab::skip("needs Linux 6.7: the operation READ_MULTISHOT");
  return copy;
}

unsigned buffer_of(const io_uring_cqe& cqe) { return cqe.flags >> IORING_CQE_BUFFER_SHIFT; }

void print_next(io_uring& ring, const Buffers& buffers) {
  const io_uring_cqe cqe = next_cqe(ring);
  const bool more = (cqe.flags & IORING_CQE_F_MORE) != 0;
  const std::string text = cqe.res > 0    ? std::string(buffers.bytes.at(buffer_of(cqe)).data(),
                                                        static_cast<std::size_t>(cqe.res))
                           : cqe.res == 0 ? "end of file"
                                          : std::strerror(-cqe.res);
  std::printf("  %s, %s\n", text.c_str(), more ? "more may come" : "the last CQE");
}

void put(int fd, const char* text) {
  lab::need_errno(static_cast<int>(write(fd, text, std::strlen(text))), "write");
}

void show_pipe(io_uring& ring, Buffers& buffers) {
  int ends[2];
  lab::need_errno(pipe2(ends, O_CLOEXEC), "pipe2");
  arm_read(ring, ends[0]);
  put(ends[1], "one");
  print_next(ring, buffers);
  put(ends[1], "two");
  print_next(ring, buffers);
  put(ends[1], "three");
  print_next(ring, buffers);  // both buffers are ours now, and nothing is left to read into

  buffers.give(0);
  buffers.give(1);
  arm_read(ring, ends[0]);
  print_next(ring, buffers);
  close(ends[1]);
  print_next(ring, buffers);
  close(ends[0]);
  buffers.give(0);
}

// One read can bring several events, one after the other, each with a name behind it.
int print_events(const char* bytes, int size) {
  int count = 0;
  for (int at = 0; at < size; ++count) {
    inotify_event event;
    std::memcpy(&event, bytes + at, sizeof event);
    const char* name = bytes + at + sizeof event;
    std::printf("  %s %s\n", (event.mask & IN_CREATE) != 0 ? "created" : "deleted", name);
    at += static_cast<int>(sizeof event + event.len);
  }
  return count;
}

void show_inotify(io_uring& ring, Buffers& buffers) {
  const std::string& folder = lab::temporary_folder();
  const int fd = lab::need_errno(inotify_init1(IN_CLOEXEC | IN_NONBLOCK), "inotify_init1");
  lab::need_errno(inotify_add_watch(fd, folder.c_str(), IN_CREATE | IN_DELETE), "inotify");
  arm_read(ring, fd);
  std::ofstream(folder + "/letter").put('a');
  std::ofstream(folder + "/parcel").put('b');
  lab::need_errno(unlink((folder + "/letter").c_str()), "unlink");
  // [walk inotify]
  for (int events = 0; events < 3;) {
    const io_uring_cqe cqe = next_cqe(ring);
    // The third event finds both buffers taken. It is not lost: inotify keeps it, the read ends.
    if (cqe.res != -ENOBUFS) {
      const int size = lab::need(cqe.res, "read multishot");
      events += print_events(buffers.bytes.at(buffer_of(cqe)).data(), size);
      buffers.give(buffer_of(cqe));
    }
    if ((cqe.flags & IORING_CQE_F_MORE) == 0) arm_read(ring, fd);
  }
  // [/walk]
  close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  Buffers buffers;
  int res = 0;
  buffers.provided = io_uring_setup_buf_ring(&ring, buffer_count, group, 0, &res);
  lab::need(res, "io_uring_setup_buf_ring");
  buffers.give(0);
  buffers.give(1);

  std::printf("read multishot on a pipe\n");
  show_pipe(ring, buffers);
  std::printf("read multishot on inotify\n");
  show_inotify(ring, buffers);

  io_uring_free_buf_ring(&ring, buffers.provided, buffer_count, group);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
