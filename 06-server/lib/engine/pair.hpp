// Two connections that belong together: a client's, and the one that its protocol has dialled. What
// the one receives the other one sends.
//
// Lifetime: a base of its connection. Rule: each knows the other only until one of them ends, and
// what ends the one ends the other; their operations join on their own. The receiving half of each
// is steered by the outbox that its bytes go to, which is the other's.
#pragma once

#include <poll.h>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <utility>

#include "01-core/lib/cancel.hpp"
#include "01-core/lib/ring.hpp"
#include "02-files/lib/file_table.hpp"
#include "06-server/lib/engine/dialler.hpp"
#include "06-server/lib/engine/ends_finder.hpp"
#include "06-server/lib/engine/sender.hpp"
#include "06-server/lib/engine/slot_operations.hpp"
#include "06-server/lib/protocol/dialling.hpp"

namespace lab {

/// Connection derives from it and has: commons(), slot(), open(), aborting(), all_sent(), quiet
/// parts, send(segment), finish(how), reset(), and what Dialler needs.
/// @tparam On false: its protocol does not dial, and it costs nothing
template <class Connection, bool On>
class Pair : public Dialler<Connection, On>, public EndsFinder<Connection> {
 public:
  // --- what its protocol calls: the DiallingIo ---

  /// See DiallingIo, as for all of these. @param address it is there until the result
  bool dial(const SocketAddress& address) noexcept {
    LAB_ASSERT(other_ == nullptr);
    dial_error_ = 0;
    auto& commons = self().commons();
    Connection* made = commons.slots().dialled_left() > 0
                           ? commons.connections().create(commons, std::nullopt)
                           : nullptr;
    if (made == nullptr) {
      dial_error_ = EMFILE;
      return false;
    }
    commons.slots().take_for_dialled();
    other_ = made;
    made->other_ = &self();
    made->dialled_ = true;
    made->begin_dialling(address);
    return true;
  }
  /// How far the other one is.
  DialState dial_state() const noexcept {
    if (other_ == nullptr) return dial_error_ != 0 ? DialState::failed : DialState::none;
    return other_->dialling() ? DialState::dialling : DialState::connected;
  }
  /// errno of the latest one that failed; 0: none has
  int dial_error() const noexcept { return dial_error_; }
  /// Gives the other one up, with a reset.
  void hang_up() noexcept {
    if (Connection* other = part()) other->reset();
  }
  /// From now on what is received goes to the other one. REQUIRES: it is connected.
  void relay() noexcept {
    LAB_ASSERT(dial_state() == DialState::connected);
    relays_ = true;
  }
  /// What it receives goes to the other one.
  bool relays() const noexcept { return relays_; }
  /// Sends by the other one. What is sent before it relays is the protocol's own and asks nothing:
  /// a client that has only been introduced is owed no answer.
  void pass(Segment bytes) noexcept {
    if (other_ == nullptr) return;
    asks_ = relays_;
    other_->asks_ = false;
    other_->send(std::move(bytes));
    self().commons().mark_ready(*other_);
  }
  /// The peer has sent all: the other one's hears it after the last byte. After a send that has
  /// failed the receive says so as well, and it is no end.
  void pass_end() noexcept {
    if (other_ == nullptr || lost_) return;
    passed_end_ = true;
    if (!other_->passed_end_) {
      other_->fin_wanted_ = true;
      self().commons().mark_ready(*other_);
      loss_.start(self().commons().ring(), self().slot());
      return;
    }
    Connection& other = *part();
    other.finish(Finish::close);
    self().finish(Finish::close);
  }

  // --- what the engine asks ---

  /// It was dialled and not accepted.
  bool dialled() const noexcept { return dialled_; }
  /// The connection whose outbox its received bytes go to.
  const Connection& sink() const noexcept { return relays_ ? *other_ : self(); }
  /// The one whose peer's bytes it sends has no receive in flight that rests; true without one.
  bool other_rests() const noexcept { return !relays_ || other_->rested(); }

  /// A client has two receives where others have one, so each may hold half as much.
  /// @return receive buffers that the sink holds; twice as many for a pair
  std::uint32_t passed_on() const noexcept {
    return (relays_ ? 2 : 1) * static_cast<const Sender<Connection>&>(sink()).held();
  }
  /// Before it waits for a buffer while these are scarce: sink_has_room() follows.
  void ask_sink() noexcept { other_->tell_when_writable(); }

  // --- what Dialler and Sender tell ---

  /// TCP has ended it, and what came before that has not been passed on yet.
  /// @return false: there is nothing to pass on
  bool outlives_error() noexcept {
    if (!relays_ || !self().open()) return false;
    lost_ = true;
    return true;
  }
  /// It ends as soon as what it has received is passed on.
  bool lost() const noexcept { return lost_; }

  /// The connect is done: it is open, and relays.
  void dial_succeeded() noexcept {
    relays_ = true;
    self().opened();
    self().commons().mark_ready(*other_);
  }
  /// @param error errno. The other one lives on, and may dial again
  void dial_failed(int error) noexcept {
    lose_other(error);
    self().reset();
  }

  /// What it sends comes from a connection that may go on receiving now.
  void rouse_source() noexcept {
    if (other_ != nullptr) self().commons().mark_ready(*other_);
  }

 protected:
  /// No bytes are on their way through the two, and no answer is due: whoever sent last was the
  /// one that was dialled, or that one sends no more.
  bool pair_is_quiet() const noexcept {
    return !relays_ || (other_->nothing_moves() && (dialled_ ? no_answer_is_due(*other_, *this)
                                                             : no_answer_is_due(*this, *other_)));
  }
  /// After its last byte, while it still receives.
  void send_fin() noexcept {
    if (!fin_wanted_ || !self().all_sent()) return;
    fin_wanted_ = false;
    fin_.start(self().commons().ring(), self().slot());
  }
  /// Cancels what it has in flight.
  void stop_pair() noexcept {
    this->stop_dialling();
    cancel_writable_.pursue(self().commons().ring(), writable_);
    cancel_loss_.pursue(self().commons().ring(), loss_);
  }
  /// Nothing of it is in flight.
  bool pair_joined() const noexcept {
    return this->dial_joined() && !fin_.armed() && !this->finds_ends() && !writable_.armed() &&
           !cancel_writable_.armed() && !loss_.armed() && !cancel_loss_.armed();
  }

  /// Both are for themselves from now on. @return the other one, if there was one
  Connection* part() noexcept {
    Connection* other = std::exchange(other_, nullptr);
    relays_ = false;
    if (other != nullptr) {
      other->other_ = nullptr;
      other->relays_ = false;
      if (!other->aborting()) self().commons().mark_ready(*other);
    }
    return other;
  }
  /// This one is lost, or nobody took it. What it has passed on is sent before the other one is
  /// lost, too, unless that one's peer takes nothing.
  void lose_other(int error = ECONNRESET) noexcept {
    const bool relayed = other_ != nullptr && other_->relays_;
    Connection* other = part();
    if (other == nullptr) return;
    if (relayed && other->open() && other->peer_takes()) {
      other->dial_error_ = error;
      other->finish_with_reset();
    } else if (relayed || other->dialled_) {
      other->reset();
    } else {
      other->dial_error_ = error;  // its protocol may try another
    }
  }
  /// This one ends in order.
  void finish_other() noexcept {
    const bool relayed = other_ != nullptr && (relays_ || other_->relays_);
    Connection* other = part();
    if (other == nullptr) return;
    if (relayed && other->open()) {
      other->finish(Finish::close);
    } else {
      other->reset();
    }
  }

 private:
  template <class Other, bool OtherOn>
  friend class Pair;

  Connection& self() noexcept { return static_cast<Connection&>(*this); }
  const Connection& self() const noexcept { return static_cast<const Connection&>(*this); }

  static bool no_answer_is_due(const Pair& client, const Pair& upstream) noexcept {
    return !client.asks_ || upstream.passed_end_;
  }

  // Its own operation on its own slot, so the other one's end need not wait for it.
  void tell_when_writable() noexcept {
    if (!writable_.armed() && self().open()) {
      writable_.start(self().commons().ring(), self().slot());
    }
  }
  void on_writable(Cqe cqe) noexcept {
    self().commons().mark_ready(self());
    if (cqe.res < 0 || other_ == nullptr) return;
    self().commons().mark_ready(*other_);
    if (other_->relays_) other_->sink_has_room();
  }
  void on_cancel_writable(Cqe cqe) noexcept {
    cancel_writable_.note(cqe);
    self().commons().mark_ready(self());
  }
  // Its peer had sent all and still listened. Now it is gone, and so the other one's is told.
  void on_loss(Cqe cqe) noexcept {
    self().commons().mark_ready(self());
    if (cqe.res > 0 && (cqe.res & (POLLERR | POLLHUP)) != 0 && other_ != nullptr) {
      self().on_tcp_error();
    }
  }
  void on_cancel_loss(Cqe cqe) noexcept {
    cancel_loss_.note(cqe);
    self().commons().mark_ready(self());
  }
  void on_fin(Cqe) noexcept { self().commons().mark_ready(self()); }

  Connection* other_ = nullptr;
  Bind<SendFin, &Pair::on_fin> fin_{*this};
  Bind<PollWritable, &Pair::on_writable> writable_{*this};
  Bind<CancelUntilFound, &Pair::on_cancel_writable> cancel_writable_{*this};
  Bind<PollLoss, &Pair::on_loss> loss_{*this};
  Bind<CancelUntilFound, &Pair::on_cancel_loss> cancel_loss_{*this};
  int dial_error_ = 0;       ///< errno
  bool dialled_ = false;     ///< it is the second one
  bool relays_ = false;      ///< what it receives goes to the other one, which there is
  bool fin_wanted_ = false;  ///< after what is in the outbox
  bool passed_end_ = false;  ///< its peer has sent all
  bool lost_ = false;        ///< TCP has ended it
  bool asks_ = false;        ///< the latest bytes that went through the pair came from here
};

template <class Connection>
class Pair<Connection, false> : public Dialler<Connection, false> {
 public:
  bool dialled() const noexcept { return false; }
  bool relays() const noexcept { return false; }
  std::uint32_t passed_on() const noexcept {
    return static_cast<const Sender<Connection>&>(sink()).held();
  }
  void ask_sink() noexcept {}
  const Connection& sink() const noexcept { return static_cast<const Connection&>(*this); }
  bool other_rests() const noexcept { return true; }
  void rouse_source() noexcept {}
  bool outlives_error() noexcept { return false; }
  bool lost() const noexcept { return false; }

 protected:
  bool pair_is_quiet() const noexcept { return true; }
  void send_fin() noexcept {}
  void stop_pair() noexcept {}
  bool pair_joined() const noexcept { return true; }
  void lose_other() noexcept {}
  void finish_other() noexcept {}
};

}  // namespace lab
