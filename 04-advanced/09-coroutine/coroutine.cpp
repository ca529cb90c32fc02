// shows: a coroutine that waits for a read, and how it is destroyed in mid-read: cancel, join, free
// needs: Linux 5.6
// try:   ./lab run 04/09; then give it a third frame, and see who gets which
#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>

#include "01-core/lesson.hpp"

namespace {

io_uring ring;

// [walk places]
// A frame holds what a function would have on the stack: parameters, variables, the place to go on.
// Two are made here, once. Nothing is allocated later, so the third coroutine gets none.
struct Place {
  alignas(std::max_align_t) std::byte frame[2048];
  bool used = false;
} places[2];

void* take_frame(std::size_t bytes) noexcept {
  for (Place& place : places) {
    if (place.used || bytes > sizeof place.frame) continue;
    place.used = true;
    return place.frame;
  }
  return nullptr;
}
// [/walk]

void give_back(void* frame) noexcept {
  for (Place& place : places)
    if (place.frame == frame) place.used = false;
}

int frames_used() { return places[0].used + places[1].used; }

struct Read;

// [walk task]
// What the compiler asks for when a function contains co_await.
struct Task {
  struct promise_type {
    Read* waits_for = nullptr;

    static void* operator new(std::size_t bytes) noexcept { return take_frame(bytes); }
    static void operator delete(void* frame) noexcept { give_back(frame); }
    static Task get_return_object_on_allocation_failure() noexcept { return {nullptr}; }
    Task get_return_object() noexcept { return {Frame::from_promise(*this)}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_always final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
  using Frame = std::coroutine_handle<promise_type>;
  Frame frame;
};
// [/walk]

// [walk read]
// The awaiter is the operation. It lies in the frame, as the memory that is read into does.
struct Read {
  int fd;
  char* memory;
  unsigned size;
  int res = 0;
  int due = 0;  // CQEs that name this object and have not come
  bool abandoned = false;
  Task::Frame waiting = nullptr;

  bool await_ready() const noexcept { return false; }
  void await_suspend(Task::Frame frame) noexcept {
    waiting = frame;
    frame.promise().waits_for = this;
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_read(sqe, fd, memory, size, 0);
    io_uring_sqe_set_data(sqe, this);
    due = 1;
  }
  int await_resume() const noexcept {
    waiting.promise().waits_for = nullptr;
    return res;
  }
};
// [/walk]

// [walk listen]
// Prints what it reads. Each message begins with the name of the one that it is for.
Task listen(std::string_view name, int fd) {
  char text[32];
  for (;;) {
    const int res = co_await Read{.fd = fd, .memory = text, .size = sizeof text};
    if (res <= 0) co_return;
    const std::string_view message(text, static_cast<std::size_t>(res));
    std::printf("  \"%.*s\"\n", res, text);
    if (!message.starts_with(name)) lab::fail(std::string(name) + " got that, by mistake");
  }
}
// [/walk]

// [walk on-cqe]
void on_cqe(Read& read, int res) {
  if (--read.due > 0) return;
  if (read.abandoned) {
    std::printf("  nothing is due: the frame goes back\n");
    return read.waiting.destroy();
  }
  read.res = res;
  read.waiting.resume();
}
// [/walk]

// [walk destroy]
// Asks the kernel to end the read. The cancel's own CQE names the read too, so both are awaited.
void destroy(Task task) {
  Read* read = task.frame.promise().waits_for;
  if (read == nullptr) return task.frame.destroy();
  read->abandoned = true;
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_cancel64(sqe, reinterpret_cast<std::uintptr_t>(read), 0);
  io_uring_sqe_set_data(sqe, read);
  ++read->due;
}
// [/walk]

// [walk run-once]
// Waits until so many CQEs are there, and handles all that have come.
void run_once(unsigned wait_for = 1) {
  io_uring_cqe* cqe = nullptr;
  lab::need(io_uring_submit_and_wait(&ring, wait_for), "io_uring_submit_and_wait");
  while (io_uring_peek_cqe(&ring, &cqe) == 0) {
    Read* read = static_cast<Read*>(io_uring_cqe_get_data(cqe));
    const int res = cqe->res;
    io_uring_cqe_seen(&ring, cqe);  // before the task goes on: it may want the entry
    on_cqe(*read, res);
  }
}
// [/walk]

struct Pipe {
  Pipe() { lab::need_errno(pipe2(ends, O_CLOEXEC), "pipe2"); }
  ~Pipe() { close(ends[0]), close(ends[1]); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void send(std::string_view text) {
    lab::need_errno(static_cast<int>(write(ends[1], text.data(), text.size())), "write");
  }
  int ends[2];
};

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  Pipe one, two, three;

  const Task first = listen("first", one.ends[0]);
  const Task second = listen("second", two.ends[0]);
  std::printf("two tasks wait, frames used: %d\n", frames_used());
  two.send("second, hello");
  run_once();
  one.send("first, hello");
  run_once();

  Task third = listen("third", three.ends[0]);
  std::printf("a third task: %s\n", third.frame ? "runs" : "no frame, so it does not run");

  std::printf("first is destroyed in mid-read\n");
  lab::need(io_uring_submit(&ring), "io_uring_submit");  // its next read is with the kernel now
  destroy(first);
  std::printf("  frames used: %d\n", frames_used());
  while (frames_used() > 1) run_once();

  third = listen("third", three.ends[0]);
  std::printf("a third task: %s\n", third.frame ? "runs" : "no frame, so it does not run");
  lab::need(io_uring_submit(&ring), "io_uring_submit");
  one.send("first, are you there?");
  run_once(0);
  three.send("third, hello");
  run_once();

  std::printf("the others are destroyed\n");
  destroy(second);
  destroy(third);
  while (frames_used() > 0) run_once();
  io_uring_queue_exit(&ring);
  return lab::ok();
}
