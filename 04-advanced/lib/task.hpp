// A coroutine that runs on a ring: it stops at `co_await` and goes on in the handler of a CQE.
//
// Lifetime: its frame comes from a FramePool and lives until the last CQE of everything in it, even
// when the Task dies before. ~Task never waits: it cancels; the frame goes when all has been
// joined. Rule: a task waits only for tasks, TaskOperations (Await, Stream) and TaskPauses; it
// never destroys itself.
//   lab::Task session(lab::FramePool& frames, lab::Ring& ring) { ... co_return 0; }
//   lab::Task task = session(frames, ring);
//   task.start();
#pragma once

#include <cerrno>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <utility>

#include "01-core/lib/assert.hpp"
#include "04-advanced/lib/frame_pool.hpp"

namespace lab {

class TaskOperation;
class TaskPause;

/// A coroutine that ends with an int: 0 or more, or -errno. Its first parameter is the FramePool&
/// (for a member function, the first after the object). Without a free frame the coroutine does not
/// run: the Task is then empty and its result -ENOMEM, started and awaited like any other.
/// Memory that its operations use lies in the frame, or outlives the frame: see start().
/// Source: C++20 [dcl.fct.def.coroutine].
class [[nodiscard]] Task {
 public:
  class promise_type;
  /// Its coroutine, for awaiters.
  using Frame = std::coroutine_handle<promise_type>;

  Task() noexcept = default;
  explicit Task(Frame frame) noexcept : frame_(frame) {}
  ~Task() { drop(); }
  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      drop();
      frame_ = std::exchange(other.frame_, nullptr);
    }
    return *this;
  }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  /// False when the pool had no frame for it.
  explicit operator bool() const noexcept { return frame_ != nullptr; }

  /// Runs until the first wait. REQUIRES: not started, not awaited.
  inline void start() noexcept;

  /// The same; `owner` is told once when the task has ended. For a task that was destroyed while it
  /// waited that is later, when its frame is gone: from then on the kernel uses nothing of it.
  /// @code
  ///   task_.start<&Worker::on_session_end>(*this);  // void Worker::on_session_end() noexcept
  /// @endcode
  template <auto Method, class Owner>
  void start(Owner& owner) noexcept;

  /// Asks the kernel to end what is in flight now. The task itself goes on: what it waits for has
  /// the result -ECANCELED, unless it was done before.
  inline void cancel() noexcept;

  /// True when it has returned, has thrown, or had no frame.
  inline bool done() const noexcept;

  /// Nothing of it is with the kernel: dropped now, its frame is gone at once.
  inline bool at_rest() const noexcept;

  /// An exception that leaves its code ends the task, and threw() is true: without this it ends the
  /// program. REQUIRES: not started.
  inline void catch_exceptions() noexcept;
  /// True when an exception has ended it. REQUIRES: done().
  inline bool threw() const noexcept;

  /// What it returned; -ENOMEM when it had no frame. REQUIRES: done().
  inline int result() const noexcept;

  /// Inside another task: `const int res = co_await step(frames, ring);` The outer one's end, by
  /// whatever way, is the inner one's too. REQUIRES: not started.
  inline auto operator co_await() && noexcept;

 private:
  inline void drop() noexcept;

  Frame frame_;
};

/// What of a task is with the kernel, or was: the base of Await and Stream. The task knows it from
/// hold() until let_go(). It lives in the task's frame or outlives it.
class TaskOperation {
 public:
  TaskOperation(const TaskOperation&) = delete;
  TaskOperation& operator=(const TaskOperation&) = delete;

 protected:
  /// Asks the kernel to end it; let_go() follows, never before this has returned.
  using Stop = void (*)(TaskOperation&) noexcept;

  explicit TaskOperation(Stop stop) noexcept : stop_(stop) {}
  ~TaskOperation() { LAB_ASSERT(task_ == nullptr); }

  /// True while a coroutine waits here.
  bool waited_for() const noexcept { return waiting_ != nullptr; }

  /// For await_suspend(): the task waits here.
  inline void hold(Task::Frame waiting) noexcept;

  /// The task goes on, if it waits here; more CQEs will come. Afterwards `this` may be gone.
  inline void wake() noexcept;

  /// Every CQE has come: the task goes on; or, when it was destroyed and this was the last, its
  /// frame is freed. Afterwards `this` may be gone.
  inline void let_go() noexcept;

 private:
  friend class Task;

  Stop stop_;
  Task::promise_type* task_ = nullptr;  ///< not null exactly from hold() until let_go()
  TaskOperation* next_ = nullptr;
  Task::Frame waiting_;  ///< the coroutine that waits here: the task's own, or one that it awaits
};

/// Where a task waits for something that is not with the kernel: its turn, bytes that somebody else
/// has. A task that is dropped meanwhile is gone at once, so whoever has the pause forgets it
/// first.
class TaskPause {
 public:
  TaskPause() noexcept = default;
  TaskPause(const TaskPause&) = delete;
  TaskPause& operator=(const TaskPause&) = delete;

  /// True while a coroutine waits here.
  bool waited_for() const noexcept { return waiting_ != nullptr; }
  /// For await_suspend(): the task waits here. REQUIRES: nobody else does.
  inline void hold(Task::Frame waiting) noexcept;
  /// The task goes on. REQUIRES: it waits here.
  inline void resume() noexcept;
  /// Nobody waits here any more: the task was dropped.
  void forget() noexcept { waiting_ = nullptr; }

 private:
  Task::Frame waiting_;  ///< the coroutine that waits here: the task's own, or one that it awaits
};

/// What the compiler asks for a coroutine that returns a Task. Nobody else calls it.
/// Source: C++20 [dcl.fct.def.coroutine].
class Task::promise_type {
 public:
  promise_type() noexcept = default;
  ~promise_type() { LAB_ASSERT(operations_ == nullptr); }
  promise_type(const promise_type&) = delete;
  promise_type& operator=(const promise_type&) = delete;

  /// The frame of a function, whose first parameter is the pool. Null: the pool is empty.
  template <class... Rest>
  static void* operator new(std::size_t bytes, FramePool& frames, Rest&...) noexcept {
    return frames.take(bytes);
  }
  /// The frame of a member function, whose pool is the first parameter after the object.
  template <class Object, class... Rest>
  static void* operator new(std::size_t bytes, Object&, FramePool& frames, Rest&...) noexcept {
    return frames.take(bytes);
  }
  /// The frame is home.
  static void operator delete(void* frame, std::size_t) noexcept { FramePool::give_back(frame); }

  /// Without a frame: the empty Task.
  static Task get_return_object_on_allocation_failure() noexcept { return Task{}; }
  /// The Task that the caller gets.
  Task get_return_object() noexcept { return Task(Frame::from_promise(*this)); }
  /// A coroutine starts when it is started or awaited: then it is known whose operations its are.
  std::suspend_always initial_suspend() const noexcept { return {}; }
  /// What co_return gives: 0 or more, or -errno.
  void return_value(int result) noexcept { result_ = result; }
  /// The loop never throws: a handler could not pass it on to anybody, so the program ends. Whoever
  /// starts the task can ask to be told instead: catch_exceptions().
  void unhandled_exception() noexcept {
    if (!task_->catches_) std::terminate();
    exception_ = std::current_exception();
  }

  /// The last wait: whoever awaited goes on, or the owner is told.
  struct End {
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(Frame frame) const noexcept {
      promise_type& promise = frame.promise();
      if (promise.parent_ != nullptr) return promise.parent_;
      promise.running_ = false;
      // The owner may destroy the task here, and the frame with it: this is the last act.
      if (promise.on_end_ != nullptr) promise.on_end_(promise.owner_);
      return std::noop_coroutine();
    }
    void await_resume() const noexcept {}
  };
  /// The frame stays until its Task is gone, because the result lies in it.
  End final_suspend() const noexcept { return {}; }

 private:
  friend class Task;
  friend class TaskOperation;
  friend class TaskPause;

  void stop_all() noexcept {
    for (TaskOperation* one = operations_; one != nullptr; one = one->next_) one->stop_(*one);
  }

  void destroy_dropped() noexcept {
    const auto on_end = on_end_;
    void* const owner = owner_;
    Frame::from_promise(*this).destroy();
    if (on_end != nullptr) on_end(owner);
  }

  promise_type* task_ = this;     ///< the outermost coroutine: the one that was started
  Frame parent_;                  ///< the coroutine that awaits this one, if any
  std::exception_ptr exception_;  ///< what its code threw; whoever awaits it throws it again
  int result_ = 0;
  bool started_ = false;
  // Of the outermost only:
  bool running_ = false;  ///< true while its code runs, so that nobody destroys it meanwhile
  bool dropped_ = false;  ///< true when its Task is dead and its operations are not
  bool catches_ = false;  ///< an exception does not end the program
  TaskOperation* operations_ = nullptr;  ///< what must be joined before the frame may go
  void (*on_end_)(void*) noexcept = nullptr;
  void* owner_ = nullptr;
};

inline void Task::start() noexcept {
  if (frame_ == nullptr) return;
  promise_type& promise = frame_.promise();
  LAB_ASSERT(!promise.started_);
  promise.started_ = true;
  promise.running_ = true;
  frame_.resume();
}

template <auto Method, class Owner>
void Task::start(Owner& owner) noexcept {
  if (frame_ == nullptr) return (owner.*Method)();
  frame_.promise().owner_ = &owner;
  frame_.promise().on_end_ = [](void* told) noexcept { (static_cast<Owner*>(told)->*Method)(); };
  start();
}

inline void Task::cancel() noexcept {
  if (frame_ != nullptr) frame_.promise().stop_all();
}

inline bool Task::done() const noexcept { return frame_ == nullptr || frame_.done(); }

inline bool Task::at_rest() const noexcept {
  return frame_ == nullptr || frame_.promise().operations_ == nullptr;
}

inline void Task::catch_exceptions() noexcept {
  if (frame_ == nullptr) return;
  LAB_ASSERT(!frame_.promise().started_);
  frame_.promise().catches_ = true;
}

inline bool Task::threw() const noexcept {
  LAB_ASSERT(done());
  return frame_ != nullptr && frame_.promise().exception_ != nullptr;
}

inline int Task::result() const noexcept {
  LAB_ASSERT(done());
  return frame_ == nullptr ? -ENOMEM : frame_.promise().result_;
}

inline auto Task::operator co_await() && noexcept {
  struct Inner {
    bool await_ready() const noexcept { return frame == nullptr; }
    std::coroutine_handle<> await_suspend(Frame outer) const noexcept {
      promise_type& promise = frame.promise();
      LAB_ASSERT(!promise.started_);
      promise.started_ = true;
      promise.parent_ = outer;
      promise.task_ = outer.promise().task_;
      return frame;
    }
    int await_resume() const {
      if (frame == nullptr) return -ENOMEM;
      if (frame.promise().exception_ != nullptr) {
        std::rethrow_exception(frame.promise().exception_);
      }
      return frame.promise().result_;
    }
    Frame frame;
  };
  return Inner{frame_};
}

// Cancel first. The frame is freed by the last let_go(), which is the join.
inline void Task::drop() noexcept {
  if (frame_ == nullptr) return;
  const Frame frame = std::exchange(frame_, nullptr);
  promise_type& promise = frame.promise();
  LAB_ASSERT(!promise.running_);
  if (promise.operations_ == nullptr) return frame.destroy();
  promise.dropped_ = true;
  promise.stop_all();
}

inline void TaskOperation::hold(Task::Frame waiting) noexcept {
  Task::promise_type* task = waiting.promise().task_;
  LAB_ASSERT(waiting_ == nullptr);
  waiting_ = waiting;
  task->running_ = false;
  if (task_ != nullptr) {
    LAB_ASSERT(task_ == task);
    return;
  }
  task_ = task;
  next_ = std::exchange(task->operations_, this);
}

inline void TaskOperation::wake() noexcept {
  if (task_ == nullptr || task_->dropped_ || waiting_ == nullptr) return;
  task_->running_ = true;
  std::exchange(waiting_, nullptr).resume();
}

inline void TaskOperation::let_go() noexcept {
  Task::promise_type* task = std::exchange(task_, nullptr);
  const Task::Frame waiting = std::exchange(waiting_, nullptr);
  TaskOperation** link = &task->operations_;
  while (*link != this) link = &(*link)->next_;
  *link = std::exchange(next_, nullptr);
  if (task->dropped_) {
    if (task->operations_ == nullptr) task->destroy_dropped();
  } else if (waiting != nullptr) {
    task->running_ = true;
    waiting.resume();
  }
}

inline void TaskPause::hold(Task::Frame waiting) noexcept {
  LAB_ASSERT(waiting_ == nullptr);
  waiting_ = waiting;
  waiting.promise().task_->running_ = false;
}

inline void TaskPause::resume() noexcept {
  LAB_ASSERT(waiting_ != nullptr);
  const Task::Frame waiting = std::exchange(waiting_, nullptr);
  waiting.promise().task_->running_ = true;
  waiting.resume();
}

}  // namespace lab
