// shows: a ring that can read the one file you gave it, and can do nothing else
// needs: Linux 5.10
// try:   ./lab run 04-11; then allow IORING_OP_WRITE too, and see which line changes
#include <fcntl.h>
#include <liburing.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>

#include "01-core/lesson.hpp"

namespace {

int file_with(const char* name, const char* text) {
  const std::string path = lab::temporary_folder() + "/" + name;
  const int fd = lab::need_errno(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), "open");
  lab::need_errno(static_cast<int>(write(fd, text, std::strlen(text))), "write");
  return fd;
}

// [walk rules]
// What is not on the list is forbidden. Nothing is enforced before the ring is enabled.
int allow_only_fixed_reads(io_uring& ring) {
  io_uring_restriction rules[3]{};
  rules[0].opcode = IORING_RESTRICTION_SQE_OP;
  rules[0].sqe_op = IORING_OP_READ;
  // Without this rule a READ could name any descriptor of the process by its number.
  rules[1].opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED;
  rules[1].sqe_flags = IOSQE_FIXED_FILE;
  // A call that does no harm on an enabled ring. Linux 7.2 refuses the others only when one is on
  // the list; older kernels refuse them anyway.
  rules[2].opcode = IORING_RESTRICTION_REGISTER_OP;
  rules[2].register_op = IORING_REGISTER_ENABLE_RINGS;
  return io_uring_register_restrictions(&ring, rules, 3);
}
// [/walk]

void show(io_uring& ring, const char* what) {
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  if (cqe->res >= 0) std::printf("%s: %d bytes\n", what, cqe->res);
  if (cqe->res < 0) std::printf("%s: %s\n", what, std::strerror(-cqe->res));
  io_uring_cqe_seen(&ring, cqe);
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  const int given = file_with("given", "for all");
  const int secret = file_with("secret", "password");

  // [walk setup]
  // Disabled: it can be prepared, but not used. Rules can be made only in this state, once.
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, IORING_SETUP_R_DISABLED), "io_uring_queue_init");
  lesson.watch(ring);
  lab::need(io_uring_register_files(&ring, &given, 1), "io_uring_register_files");
  lab::need(allow_only_fixed_reads(ring), "io_uring_register_restrictions");
  lab::need(io_uring_enable_rings(&ring), "io_uring_enable_rings");
  // [/walk]

  // [walk tries]
  char buffer[16];
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_read(sqe, 0, buffer, sizeof buffer, 0);
  io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
  show(ring, "read slot 0");

  sqe = io_uring_get_sqe(&ring);
  io_uring_prep_read(sqe, secret, buffer, sizeof buffer, 0);
  show(ring, "read the secret by its descriptor");

  sqe = io_uring_get_sqe(&ring);
  io_uring_prep_write(sqe, 0, "x", 1, 0);
  io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
  show(ring, "write to slot 0");
  // [/walk]

  // [walk registers]
  // Otherwise the holder of the ring could put the secret into slot 0, and read it there.
  const int updated = io_uring_register_files_update(&ring, 0, &secret, 1);
  std::printf("put the secret into slot 0: %s\n", updated < 0 ? std::strerror(-updated) : "done");
  const int again = allow_only_fixed_reads(ring);
  std::printf("make new rules: %s\n", again < 0 ? "refused" : "allowed");
  // [/walk]

  io_uring_queue_exit(&ring);
  close(given);
  close(secret);
  return lab::ok();
}
