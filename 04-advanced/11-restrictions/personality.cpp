// shows: an operation that runs with the rights that the process had before it gave them up
// needs: Linux 5.6, and root to begin with
// try:   ./lab run 04-11 personality
#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>

#include "01-core/lesson.hpp"

namespace {

void try_to_open(io_uring& ring, const char* path, unsigned short personality) {
  // [walk open]
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_openat(sqe, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
  sqe->personality = personality;  // 0: the rights of the thread that submits
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  // [/walk]
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  std::printf("%s: %s\n", personality == 0 ? "as nobody" : "with the personality",
              cqe->res < 0 ? std::strerror(-cqe->res) : "opened");
  if (cqe->res >= 0) close(cqe->res);
  io_uring_cqe_seen(&ring, cqe);
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  if (geteuid() != 0) lab::skip("needs root, which has rights to give up");
  const std::string path = lab::temporary_folder() + "/for-root";
  close(lab::need_errno(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), "open"));

  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  // [walk rights]
  const int id = lab::need(io_uring_register_personality(&ring), "io_uring_register_personality");
  lab::need_errno(seteuid(65534), "seteuid");

  try_to_open(ring, path.c_str(), 0);
  try_to_open(ring, path.c_str(), static_cast<unsigned short>(id));
  // [/walk]

  lab::need_errno(seteuid(0), "seteuid");  // so that the temporary folder can be removed
  lab::need(io_uring_unregister_personality(&ring, id), "io_uring_unregister_personality");
  io_uring_queue_exit(&ring);
  return lab::ok();
}
