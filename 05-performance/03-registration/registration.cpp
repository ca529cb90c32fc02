// shows: what registered files, buffers and rings save, and where that can be seen
// needs: Linux 5.19 (a sparse file table; the registered ring is from 5.18)
// try:   ./lab run 05-03; then make reads_per_call 32, and see which of the savings is gone
#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "01-core/lesson.hpp"
#include "05-performance/knob.hpp"

namespace {

constexpr unsigned large_block = 256 * 1024;
constexpr unsigned reads_per_call = 1;
constexpr unsigned table_size = 64;
constexpr int table_place = 63;  // no descriptor of this program has that number
alignas(4096) std::array<char, large_block> memory;

struct Setting {
  const char* name;
  bool file;
  bool buffer;
  bool ring;
};
constexpr std::array<Setting, 5> settings = {
    Setting{"off", false, false, false}, Setting{"file", true, false, false},
    Setting{"buffer", false, true, false}, Setting{"ring", false, false, true},
    Setting{"all three", true, true, true}};

struct Reader {
  Setting setting{};
  io_uring ring{};
  int fd = -1;
  unsigned block_size = 4096;
};

void open(Reader& reader, const Setting& setting, const std::string& path) {
  reader.setting = setting;
  reader.fd = lab::need_errno(::open(path.c_str(), O_RDONLY | O_CLOEXEC), path.c_str());
  lab::need(io_uring_queue_init(64, &reader.ring, 0), "io_uring_queue_init");
  // [walk register]
  if (setting.file) {
    lab::need(io_uring_register_files_sparse(&reader.ring, table_size), "register_files_sparse");
    lab::need(io_uring_register_files_update(&reader.ring, table_place, &reader.fd, 1),
              "io_uring_register_files_update");
  }
  if (setting.buffer) {
    const iovec buffer{.iov_base = memory.data(), .iov_len = memory.size()};
    lab::need(io_uring_register_buffers(&reader.ring, &buffer, 1), "io_uring_register_buffers");
  }
  if (setting.ring) {
    const int made = io_uring_register_ring_fd(&reader.ring);
    if (made == -EINVAL) lab::skip("needs Linux 5.18: io_uring_register_ring_fd");
    lab::need(made, "io_uring_register_ring_fd");
  }
  // [/walk]
}

void close(Reader& reader) {
  io_uring_queue_exit(&reader.ring);
  ::close(reader.fd);
}

// [walk read]
void prepare_read(Reader& reader) {
  const Setting& setting = reader.setting;
  io_uring_sqe* sqe = io_uring_get_sqe(&reader.ring);
  const int file = setting.file ? table_place : reader.fd;
  if (setting.buffer) {
    io_uring_prep_read_fixed(sqe, file, memory.data(), reader.block_size, 0, 0);
  } else {
    io_uring_prep_read(sqe, file, memory.data(), reader.block_size, 0);
  }
  if (setting.file) sqe->flags |= IOSQE_FIXED_FILE;
}
// [/walk]

int take_read(Reader& reader) {
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_peek_cqe(&reader.ring, &cqe), "io_uring_peek_cqe");
  const int res = cqe->res;
  io_uring_cqe_seen(&reader.ring, cqe);
  return res;
}

lab::Round reads(Reader& reader, unsigned count) {
  for (unsigned done = 0; done < count; done += reads_per_call) {
    for (unsigned i = 0; i < reads_per_call; ++i) prepare_read(reader);
    lab::need(io_uring_submit_and_wait(&reader.ring, reads_per_call), "io_uring_submit_and_wait");
    for (unsigned i = 0; i < reads_per_call; ++i) {
      const int res = take_read(reader);
      if (res != static_cast<int>(reader.block_size)) lab::fail("a read: " + std::to_string(res));
    }
  }
  return {count};
}

// [walk beside]
// The same while another thread uses the same file: both count its users up and down.
lab::Round reads_beside_a_thread(Reader& reader, unsigned count) {
  std::atomic<bool> done = false;
  std::thread other([&] {
    while (!done) fcntl(reader.fd, F_GETFL);
  });
  const lab::Round round = reads(reader, count);
  done = true;
  other.join();
  return round;
}
// [/walk]

// [walk held]
// What is registered, the ring holds: the program's own handle may go.
void show_what_is_held(const std::string& path) {
  for (const Setting& setting : {settings[0], settings[4]}) {
    Reader reader;
    open(reader, setting, path);
    ::close(reader.fd);
    prepare_read(reader);
    lab::need(io_uring_submit_and_wait(&reader.ring, 1), "io_uring_submit_and_wait");
    const int res = take_read(reader);
    std::printf("%s: the descriptor is closed, a read: %d%s%s\n", setting.name, res,
                res < 0 ? " " : "", res < 0 ? std::strerror(-res) : "");
    io_uring_queue_exit(&reader.ring);
  }
}
// [/walk]

// With O_DIRECT the kernel pins the memory of each read: 64 pages here. Not every file system can.
void measure_direct(const lab::Lesson& lesson, const std::string& path) {
  const int probe = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT);
  if (probe < 0) {
    std::printf("# no O_DIRECT on this file system\n");
    return;
  }
  ::close(probe);
  lab::Knob knob(lesson,
                 {.name = "direct", .title = "O_DIRECT reads of 256 KiB", .operation = "read"});
  std::array<Reader, 2> readers;
  for (std::size_t i = 0; i < readers.size(); ++i) {
    open(readers[i], settings[2 * i], path);
    lab::need_errno(fcntl(readers[i].fd, F_SETFL, O_DIRECT), "O_DIRECT");
    readers[i].block_size = large_block;
    knob.add(readers[i].setting.name, [&reader = readers[i]] { return reads(reader, 10); });
  }
  knob.run();
  for (Reader& reader : readers) close(reader);
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, lab::Knob::usage);
  const std::string path = lab::temporary_folder() + "/blocks";
  const int fd =
      lab::need_errno(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600), "open");
  lab::need_errno(static_cast<int>(write(fd, memory.data(), memory.size())), "write");
  lab::need_errno(fsync(fd), "fsync");
  ::close(fd);
  show_what_is_held(path);

  std::array<Reader, settings.size()> readers;
  lab::Knob knob(lesson, {.name = "registration",
                          .title = "Reads of 4 KiB from the page cache, one a call",
                          .operation = "read",
                          .sweep = "threads that use the file"});
  for (std::size_t i = 0; i < settings.size(); ++i) {
    open(readers[i], settings[i], path);
    knob.add(
        settings[i].name, [&reader = readers[i]] { return reads(reader, 3000); }, 1);
  }
  for (std::size_t i = 0; i < settings.size(); ++i) {
    knob.add(
        settings[i].name, [&reader = readers[i]] { return reads_beside_a_thread(reader, 3000); },
        2);
  }
  lesson.watch(readers[0].ring);
  knob.run();
  for (Reader& reader : readers) close(reader);
  measure_direct(lesson, path);
  return lab::ok();
}
