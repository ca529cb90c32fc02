// The thing an SQE's user_data points to, embedded by whoever waits for the result.
//
// The one rule: a Completion is armed from Ring::arm() until its CQE without IORING_CQE_F_MORE.
// While armed, the object and the memory its SQE points to may not move, be reused or die.
//   class Worker {
//     void on_tick(Cqe cqe) noexcept;
//     Bind<Timer, &Worker::on_tick> tick_{*this};
//   };
#pragma once

#include "01-core/lib/assert.hpp"
#include "01-core/lib/cqe.hpp"

namespace lab {

/// One operation in flight: a function to call and a flag, 16 bytes.
class Completion {
 public:
  /// Called once per CQE, after the flag was updated: a handler may arm the completion again at
  /// once.
  using Handler = void (*)(Completion&, Cqe) noexcept;

  explicit Completion(Handler handler) noexcept : handler_(handler) {}
  ~Completion() { LAB_ASSERT(!armed_); }
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;

  /// True exactly while the kernel owes a CQE without F_MORE.
  bool armed() const noexcept { return armed_; }

  /// Calls the handler without the ring: for tests that feed CQEs by hand.
  void handle(Cqe cqe) noexcept { handler_(*this, cqe); }

 protected:
  /// A standing completion is never armed: messages from other rings, operations nobody waits for.
  enum class Standing : bool {
    no,  ///< an operation: armed, answered, perhaps armed again
    yes  ///< only told: its CQEs never arm or disarm it
  };
  /// @param standing fixed for good: the ring asserts that a standing one is never armed
  Completion(Handler handler, Standing standing) noexcept
      : handler_(handler), standing_(standing == Standing::yes) {}

 private:
  friend class Ring;

  Handler handler_;
  bool armed_ = false;
  const bool standing_ = false;
};

/// Makes an operation call a member function of its owner: `Bind<Timer, &Worker::on_tick>
/// tick_{*this};` The owner outlives it, as it is one of the owner's fields.
template <class Operation, auto Method>
class Bind;

/// The form that is meant: `Method` is `void (Owner::*)(Cqe) noexcept`.
template <class Operation, class Owner, void (Owner::*Method)(Cqe) noexcept>
class Bind<Operation, Method> final : public Operation {
 public:
  explicit Bind(Owner& owner) noexcept : Operation(&Bind::handle_bound), owner_(owner) {}

 private:
  static void handle_bound(Completion& completion, Cqe cqe) noexcept {
    (static_cast<Bind&>(completion).owner_.*Method)(cqe);
  }

  Owner& owner_;
};

}  // namespace lab
