// One operation of the ring as something to wait for: the awaiter is the operation, and lies in the
// coroutine's frame with all that its SQE points to.
//   const Cqe cqe = co_await Await<Read>(ring, file, Read::What{.memory = block});
// Rule: written like that, in one expression. A named one that dies unawaited dies armed: it
// aborts.
#pragma once

#include <utility>

#include "01-core/lib/cancel.hpp"
#include "01-core/lib/ring.hpp"
#include "04-advanced/lib/task.hpp"

namespace lab {

/// Starts `Operation` with what its start() takes, and is its Cqe when every CQE of it has come.
/// res is the operation's, -ECANCELED after Task::cancel(). An operation with two CQEs (a zero-copy
/// send) gives the first one, after the second: its memory is free then. For a multishot: Stream.
template <class Operation>
class [[nodiscard]] Await final : private TaskOperation {
 public:
  /// Starts it. @param what is handed to the operation's start() behind the ring
  template <class... What>
  explicit Await(Ring& ring, What&&... what) noexcept : TaskOperation(&stop), ring_(ring) {
    operation_.start(ring, std::forward<What>(what)...);
  }

  bool await_ready() const noexcept { return false; }
  void await_suspend(Task::Frame waiting) noexcept { hold(waiting); }
  Cqe await_resume() const noexcept { return cqe_; }

 private:
  static void stop(TaskOperation& self) noexcept {
    auto& await = static_cast<Await&>(self);
    if (await.operation_.armed() && !await.cancel_.armed()) {
      await.cancel_.start(await.ring_, await.operation_);
    }
  }

  void on_operation(Cqe cqe) noexcept {
    if (!answered_) cqe_ = cqe;
    answered_ = true;
    join();
  }

  void on_cancel(Cqe) noexcept { join(); }

  // The cancel points to the operation, and its CQE points into the frame: both have to come.
  void join() noexcept {
    if (!operation_.armed() && !cancel_.armed()) let_go();
  }

  Ring& ring_;
  Cqe cqe_{};
  bool answered_ = false;
  Bind<Operation, &Await::on_operation> operation_{*this};
  Bind<Cancel, &Await::on_cancel> cancel_{*this};
};

}  // namespace lab
