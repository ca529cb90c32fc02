// Judges the rules with a ring that is given to a stranger. Nobody edits this file.
#pragma once

#include <fcntl.h>
#include <liburing.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>

#include "01-core/lesson.hpp"

namespace exercise {

/// Gets a disabled ring with a file in slot 0, returns what io_uring_register_restrictions
/// returned.
using MakeRules = int (*)(io_uring& ring);

class Judge {
 public:
  explicit Judge(lab::Lesson& lesson) {
    const std::string path = lab::temporary_folder() + "/file";
    fd_ = lab::need_errno(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), "open");
    lab::need_errno(static_cast<int>(write(fd_, "bytes", 5)), "write");
    lab::need(io_uring_queue_init(8, &ring_, IORING_SETUP_R_DISABLED), "io_uring_queue_init");
    lesson.watch(ring_);
    lab::need(io_uring_register_files(&ring_, &fd_, 1), "io_uring_register_files");
  }
  ~Judge() {
    io_uring_queue_exit(&ring_);
    close(fd_);
  }
  Judge(const Judge&) = delete;
  Judge& operator=(const Judge&) = delete;

  int run(MakeRules make_rules) {
    lab::need(make_rules(ring_), "io_uring_register_restrictions");
    lab::need(io_uring_enable_rings(&ring_), "io_uring_enable_rings");
    want(result(IORING_OP_READ, 0, IOSQE_FIXED_FILE) == 5, "a read of slot 0 was refused",
         "which operation is allowed?");
    want_refused(IORING_OP_WRITE, 0, IOSQE_FIXED_FILE, "a write to slot 0");
    want_refused(IORING_OP_NOP, 0, IOSQE_FIXED_FILE, "a NOP");
    want_all_others_refused();
    want_refused(IORING_OP_READ, fd_, 0, "a read of a descriptor that is not registered");
    want_refused(IORING_OP_READ, 0, IOSQE_FIXED_FILE | IOSQE_ASYNC,
                 "a read of slot 0 with IOSQE_ASYNC (a worker thread for everyone who asks)");
    want(io_uring_register_files_update(&ring_, 0, &fd_, 1) == -EACCES,
         "slot 0 could be given another file", "what do your rules say of register operations?");
    iovec memory{.iov_base = buffer_, .iov_len = sizeof buffer_};
    want(io_uring_register_buffers(&ring_, &memory, 1) == -EACCES, "a buffer could be registered",
         "what do your rules say of register operations?");
    return lab::ok();
  }

 private:
  static void want(bool fulfilled, const std::string& what, const char* look) {
    if (!fulfilled) lab::fail(what, look);
  }

  void want_refused(int opcode, int fd, unsigned flags, const char* name) {
    const int res = result(opcode, fd, flags);
    want(res == -EACCES,
         std::string(name) + " was not refused: expected -EACCES, res is " + std::to_string(res),
         "what is not listed is refused; what do your rules list?");
  }

  // Every operation that this kernel knows, also those that its header here does not name yet.
  void want_all_others_refused() {
    io_uring_probe* probe = io_uring_get_probe();  // its own ring: this one refuses to be asked
    if (probe == nullptr) lab::fail("io_uring_get_probe: no memory, or no ring");
    const int last = probe->last_op;
    io_uring_free_probe(probe);
    for (int opcode = 0; opcode <= last; ++opcode) {
      if (opcode == IORING_OP_READ) continue;
      // NOP128 and URING_CMD128 (Linux 6.19) want a ring of big SQEs, before any rule is asked.
      const bool big = opcode == 63 || opcode == 64;
      if (big && result(opcode, 0, IOSQE_FIXED_FILE) == -EINVAL) continue;
      const std::string name = "operation " + std::to_string(opcode) + " of enum io_uring_op";
      want_refused(opcode, 0, IOSQE_FIXED_FILE, name.c_str());
    }
  }

  // For READ and WRITE with what they need; any other is refused whatever its SQE says.
  int result(int opcode, int fd, unsigned flags) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    io_uring_prep_rw(opcode, sqe, fd, nullptr, 0, 0);
    if (opcode == IORING_OP_READ) io_uring_prep_read(sqe, fd, buffer_, sizeof buffer_, 0);
    if (opcode == IORING_OP_WRITE) io_uring_prep_write(sqe, fd, "x", 1, 0);
    io_uring_sqe_set_flags(sqe, flags);
    lab::need(io_uring_submit(&ring_), "io_uring_submit");
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_wait_cqe(&ring_, &cqe), "io_uring_wait_cqe");
    const int res = cqe->res;
    io_uring_cqe_seen(&ring_, cqe);
    return res;
  }

  io_uring ring_{};
  int fd_ = -1;
  char buffer_[16]{};
};

}  // namespace exercise
