// Judges the exercise of 04-advanced/09-coroutine: it plays the kernel, so that it can choose the
// order in which the CQEs come. Nobody edits this file.
#pragma once

#include <cerrno>
#include <coroutine>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>

#include "01-core/lesson.hpp"

/// As in coroutine.cpp; its frame comes from the judge.
struct Task {
  struct promise_type {
    static void* operator new(std::size_t bytes) noexcept;
    static void operator delete(void* frame) noexcept;
    static Task get_return_object_on_allocation_failure() noexcept { return {nullptr}; }
    Task get_return_object() noexcept { return {Frame::from_promise(*this)}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_always final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
  using Frame = std::coroutine_handle<promise_type>;
  /// frame.resume() goes on with the coroutine, frame.destroy() frees its frame.
  Frame frame;
};

/// The operation that a task waits for. It lies in the task's frame.
struct Read {
  bool armed = false;         ///< the kernel owes the read's CQE
  bool cancel_armed = false;  ///< the kernel owes the cancel's CQE
  bool abandoned = false;     ///< yours
  int res = 0;                ///< what the task gets when it goes on
  Task::Frame waiting = nullptr;
  char memory[16] = {};

  bool await_ready() const noexcept { return false; }
  void await_suspend(Task::Frame frame) noexcept;
  int await_resume() const noexcept { return res; }
};

/// Queues a cancel of the read. The kernel will answer with two CQEs, in any order.
void start_cancel(Read& read);

// Yours, in exercise.cpp.
void destroy(Task task, Read* read);
void on_read(Read& read, int res);
void on_cancel(Read& read);

namespace check {

struct Judge {
  alignas(std::max_align_t) std::byte place[4096];
  bool used = false;
  Read* read = nullptr;  // the one that lies in the frame
  const char* scene = "";
  int resumed_with = 0;
  bool resumed = false;
  int cancels = 0;
};
inline Judge judge;

[[noreturn]] inline void wrong(const std::string& what, const char* cure) {
  lab::fail(std::string(judge.scene) + ": " + what, cure);
}

inline Task read_once() {
  judge.resumed_with = co_await Read{};
  judge.resumed = true;
  judge.read = nullptr;
}

inline void begin(const char* scene) {
  judge.scene = scene;
  judge.resumed = false;
  judge.cancels = 0;
  std::printf("%s\n", scene);
}

inline void answer_read(int res) {
  judge.read->armed = false;
  std::memcpy(judge.read->memory, "from the kernel", 16);
  on_read(*judge.read, res);
}

inline void answer_cancel() {
  judge.read->cancel_armed = false;
  on_cancel(*judge.read);
}

inline void destroy_in_mid_read(const Task& task) {
  destroy(task, judge.read);
  if (judge.cancels == 0) {
    wrong("nobody asked the kernel to end the read: on a silent pipe its CQE never comes",
          "start_cancel() in destroy(): look at YOUR TURN 1");
  }
  if (judge.cancels > 1) wrong("the read was cancelled twice", "look at YOUR TURN 1");
}

inline void must_be_home() {
  if (judge.used) {
    wrong("both CQEs have come, and the frame is still in use: it never comes home",
          "who is the last, the read's CQE or the cancel's? Look at YOUR TURN 2 and 3");
  }
}

inline void must_not_go_on() {
  if (!judge.resumed) return;
  wrong("the coroutine went on after its owner had destroyed it",
        "nobody wants the result any more: look at YOUR TURN 2 and 3");
}

inline void destroyed(const char* scene, int read_res, bool cancel_first) {
  begin(scene);
  destroy_in_mid_read(read_once());
  if (cancel_first) answer_cancel();
  must_not_go_on();
  answer_read(read_res);
  must_not_go_on();
  if (!cancel_first) answer_cancel();
  must_not_go_on();
  must_be_home();
}

inline void not_destroyed() {
  begin("a read that nobody disturbs");
  const Task task = read_once();
  answer_read(7);
  if (!judge.resumed) wrong("its CQE came, and the coroutine did not go on", "see YOUR TURN 2");
  if (judge.resumed_with != 7) wrong("the coroutine got another result than the CQE's", "res = 7");
  if (!judge.used) wrong("the frame was freed before the owner destroyed the task", "YOUR TURN 2");
  destroy(task, nullptr);
  if (judge.cancels != 0) wrong("it waited for nothing, and was cancelled", "see YOUR TURN 1");
  if (judge.used) wrong("it waited for nothing, so the frame can go at once", "see YOUR TURN 1");
}

inline int run(int argc, char** argv) {
  const lab::Lesson lesson(argc, argv);
  not_destroyed();
  destroyed("destroyed; the read's CQE comes first", -ECANCELED, false);
  destroyed("destroyed; the cancel's CQE comes first", -ECANCELED, true);
  destroyed("destroyed; the data was faster than the cancel", 15, false);
  destroyed("destroyed; the cancel found a read that ends by itself", 15, true);
  return lab::ok();
}

}  // namespace check

inline void* Task::promise_type::operator new(std::size_t bytes) noexcept {
  if (check::judge.used || bytes > sizeof check::judge.place) return nullptr;
  check::judge.used = true;
  return check::judge.place;
}

inline void Task::promise_type::operator delete(void*) noexcept {
  using check::judge;
  if (!judge.used) check::wrong("the frame was freed twice", "look at YOUR TURN 2 and 3");
  if (judge.read != nullptr && judge.read->armed) {
    check::wrong(
        "the frame was freed while the kernel had the read: it will write 16 bytes into the "
        "frame's next owner",
        "wait for the read's CQE: look at YOUR TURN 1 and 3");
  }
  if (judge.read != nullptr && judge.read->cancel_armed) {
    check::wrong("the frame was freed before the cancel's CQE, whose user_data points into it",
                 "wait for the cancel's CQE too: look at YOUR TURN 2");
  }
  judge.used = false;
  judge.read = nullptr;
}

inline void Read::await_suspend(Task::Frame frame) noexcept {
  waiting = frame;
  armed = true;
  check::judge.read = this;
}

inline void start_cancel(Read& read) {
  if (!read.armed) check::wrong("a read that is not armed was cancelled", "look at YOUR TURN 1");
  read.cancel_armed = true;
  ++check::judge.cancels;
}
