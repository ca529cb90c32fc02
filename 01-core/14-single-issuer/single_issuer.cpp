// shows: who may submit to a ring made with SINGLE_ISSUER, and how the ring gets to its thread
// needs: Linux 6.0 (IORING_SETUP_SINGLE_ISSUER)
// try:   ./lab run 01-14; then let the maker enable the ring before the worker starts
#include <liburing.h>

#include <cstdio>
#include <cstring>
#include <thread>

#include "01-core/lesson.hpp"

namespace {

void make(io_uring& ring, unsigned flags) {
  const int res = io_uring_queue_init(8, &ring, flags);
  if (res == -EINVAL) lab::skip("needs Linux 6.0: IORING_SETUP_SINGLE_ISSUER");
  lab::need(res, "io_uring_queue_init");
}

// [walk nop]
// One NOP, as whichever thread calls this. Returns what submitting said.
int submit_nop(io_uring& ring) {
  io_uring_prep_nop(io_uring_get_sqe(&ring));
  return io_uring_submit(&ring);
}
// [/walk]

const char* in_words(int res) { return res >= 0 ? "works" : std::strerror(-res); }

// [walk ordinary]
// Threads may take turns with an ordinary ring, if something else keeps them apart.
void ordinary() {
  io_uring ring;
  make(ring, 0);
  std::printf("ordinary ring, its maker submits: %s\n", in_words(submit_nop(ring)));
  std::thread([&] { std::printf("  another thread: %s\n", in_words(submit_nop(ring))); }).join();
  io_uring_queue_exit(&ring);
}
// [/walk]

// [walk single]
// The ring belongs to the thread that made it, not to the first that submits.
void single_issuer() {
  io_uring ring;
  make(ring, IORING_SETUP_SINGLE_ISSUER);
  std::thread([&] {
    std::printf("SINGLE_ISSUER, another thread first: %s\n", in_words(submit_nop(ring)));
  }).join();
  std::printf("  its maker: %s\n", in_words(io_uring_submit(&ring)));
  io_uring_queue_exit(&ring);
}
// [/walk]

// [walk another]
// A disabled ring belongs to nobody. The thread that enables it owns it from then on.
void made_for_another() {
  io_uring ring;
  make(ring, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_R_DISABLED);
  std::printf("disabled ring, before it is enabled: %s\n", in_words(submit_nop(ring)));
  std::thread([&] {
    lab::need(io_uring_enable_rings(&ring), "io_uring_enable_rings");
    std::printf("  the worker that enabled it: %s\n", in_words(io_uring_submit(&ring)));
  }).join();
  std::printf("  its maker: %s\n", in_words(submit_nop(ring)));
  io_uring_queue_exit(&ring);
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  ordinary();
  single_issuer();
  made_for_another();
  return lab::ok();
}
