// Accepts for several reactors, which are workers in other threads of the process, and hands each
// connection to one of them.
//
// Lifetime: made before the reactors and run by the thread that made it; it outlives them. Rule: it
// accepts only for credits (handover.hpp), so a client waits in the backlog rather than at somebody
// who has no place. Order of shutdown: no more accepts → what is on its way arrives → the reactors
// drain → their loops have ended → this one ends.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "01-core/lib/cancel.hpp"
#include "01-core/lib/ring.hpp"
#include "01-core/lib/timer.hpp"
#include "02-files/lib/file_table.hpp"
#include "05-performance/lib/slab_pool.hpp"
#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/engine/acceptor.hpp"
#include "06-server/lib/engine/control.hpp"
#include "06-server/lib/engine/passing.hpp"
#include "06-server/lib/engine/reactor_outlet.hpp"
#include "06-server/lib/engine/ring_statistics.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

/// The loop that accepts.
class ReactorAcceptor {
 public:
  /// Who gets a client, and what is asked of one.
  struct Options {
    ConnectionBalance balance = ConnectionBalance::round_robin;  ///< who gets the next one
    bool addresses = false;  ///< the reactors ask where clients come from
  };

  /// @param own the block that this thread counts in
  /// @param reactors the blocks of the reactors; as many as there are of them
  /// @throws std::system_error, std::bad_alloc
  ReactorAcceptor(const Options& options, WorkerStats& own,
                  std::span<const WorkerStats* const> reactors)
      : table_(ring_, passings_max(reactors.size())),
        passings_(passings_max(reactors.size())),
        choice_(options.balance),
        candidates_(reactors.size()),
        stats_(own),
        acceptor_(ring_, *this, protocol_tick_ms, options.addresses ? Ask::address : Ask::nothing) {
    for (const WorkerStats* stats : reactors) {
      outlets_.push_back(std::make_unique<ReactorOutlet>(ring_, *stats));
    }
  }
  ReactorAcceptor(const ReactorAcceptor&) = delete;
  ReactorAcceptor& operator=(const ReactorAcceptor&) = delete;

  /// What a reactor's start is given.
  ReactorOutlet& outlet(std::size_t reactor) noexcept { return *outlets_[reactor]; }

  /// Begins to accept and to tick. REQUIRES: all reactors have started.
  /// @param control_fd the supervisor's socketpair; -1: none
  void start(int listener_fd, int control_fd) noexcept {
    control_fd_ = control_fd;
    start_ns_ = ring_.now_ns();
    for (auto& outlet : outlets_) outlet->begin();
    timer_.start(ring_, tick_ns);
    if (control_fd_ >= 0) read_control_.start(ring_, control_fd_);
    acceptor_.start(listener_fd);
  }

  /// Until all reactors have ended, after a drain or a stop.
  /// @return true when nothing is due any more; false means: _exit
  bool run() noexcept {
    while (stage_ != Stage::stopped) run_once();
    return ring_.armed_count() == 0 && passings_.used() == 0;
  }

  /// One turn.
  void run_once() noexcept {
    ring_.run_once();
    if (stage_ == Stage::serving) {
      acceptor_.steer();
    } else {
      steer_ending();
    }
  }

  /// No more accepts; then the reactors drain.
  void drain() noexcept { end(command_drain); }

  // --- what the acceptor needs ---

  /// Time in steps of protocol_tick_ms, since start().
  std::uint32_t tick() const noexcept {
    return static_cast<std::uint32_t>((ring_.now_ns() - start_ns_) / tick_ns);
  }
  // [walk pass]
  /// Clients that may be accepted: credits of those that are awake.
  unsigned room() const noexcept {
    std::uint32_t credits = 0;
    for (const auto& outlet : outlets_) credits += outlet->room();
    return std::min(credits, passings_.free());
  }
  // [/walk]
  /// A client has come.
  void adopt(FileSlot slot) noexcept { pass(slot, {}); }
  /// The same with its address. The reactor judges: the limits are its own.
  void judge(FileSlot slot, const sockaddr_in6& address) noexcept { pass(slot, address); }
  /// For the statistics.
  void accept_failed() noexcept { stats_[Stat::accept_errors].add(1); }

  // --- what a Passing needs ---

  /// It has arrived, or has failed.
  void on_passed(Passing<ReactorAcceptor>& passing) noexcept {
    if (passing.done()) return passings_.destroy(&passing);
    // The kernel has no memory for the message: the connection is still ours.
    stats_[Stat::accept_errors].add(1);
    passing.next = std::exchange(failed_, &passing);
  }

 private:
  enum class Stage : std::uint8_t {
    serving,
    draining,  ///< no more accepts; the reactors are told when nothing is on its way to them
    ending,    ///< the reactors have ended: the ring is emptied
    stopped
  };
  using Ask = Acceptor<ReactorAcceptor>::Ask;

  static constexpr std::uint64_t tick_ns = std::uint64_t{protocol_tick_ms} * 1'000'000U;
  // A client may be accepted into a slot whose close is not seen yet.
  static constexpr unsigned spare_passings = 64;
  // As long as any reactor's loop comes round, this process lives: four seconds of none, and a
  // fifth one for the supervisor to see that. A reactor that is busy for less harms its own alone.
  static constexpr std::uint32_t silent_max_ticks = 4000 / protocol_tick_ms;

  static unsigned passings_max(std::size_t reactors) noexcept {
    return static_cast<unsigned>(reactors) * Handover::places_max + spare_passings;
  }

  // [walk pass]
  void pass(FileSlot slot, const sockaddr_in6& address) noexcept {
    for (std::size_t index = 0; index < outlets_.size(); ++index) {
      candidates_[index] = outlets_[index]->candidate();
    }
    ReactorOutlet& outlet = *outlets_[choice_.pick(candidates_)];
    HandoverPlace& place = outlet.take_place();
    place.address = address;
    Passing<ReactorAcceptor>* passing = passings_.create(*this, outlet, place, slot);
    LAB_ASSERT(passing != nullptr);  // room() has promised one
    passing->start(ring_);
  }
  // [/walk]

  void on_tick(Cqe) noexcept {
    if (stage_ != Stage::ending) timer_.start(ring_, tick_ns);
    bool anybody_lives = false;
    for (auto& outlet : outlets_) {
      outlet->look();
      anybody_lives |= outlet->silent_ticks() < silent_max_ticks || outlet->ended();
    }
    if (anybody_lives && !broken_) stats_.heartbeat.add(1);
    counted_.publish();
    Passing<ReactorAcceptor>* next = std::exchange(failed_, nullptr);
    while (Passing<ReactorAcceptor>* again = next) {
      next = again->next;
      if (stage_ == Stage::serving) {
        again->start(ring_);
      } else {
        again->give_up(ring_);
      }
    }
  }

  // --- stopping ---

  void on_control(Cqe cqe) noexcept {
    if (cqe.res == 1 && read_control_.is_parcel()) {
      // One for each reactor, in turn: what is in a parcel can be read once.
      ReactorOutlet& outlet = *outlets_[parcels_++ % outlets_.size()];
      // It has read none for long: without a heartbeat the supervisor starts all of us again.
      if (!outlet.tell(read_control_.command(), read_control_.take_descriptor())) broken_ = true;
    } else {
      end(cqe.res == 1 ? read_control_.command() : command_drain);
    }
    if (cqe.res == 1 && stage_ != Stage::ending) read_control_.start(ring_, control_fd_);
  }

  void end(char command) noexcept {
    if (command == command_stop) {
      for (auto& outlet : outlets_) outlet->drain(command_stop);
    }
    if (stage_ != Stage::serving) return;
    stage_ = Stage::draining;
    acceptor_.stop();
  }

  void steer_ending() noexcept {
    if (stage_ == Stage::draining && !acceptor_.armed()) {
      bool all_ended = true;
      for (auto& outlet : outlets_) {
        if (outlet->may_be_drained()) outlet->drain(command_drain);
        all_ended &= outlet->ended();
      }
      if (all_ended) stage_ = Stage::ending;
    }
    if (stage_ != Stage::ending) return;
    if (ring_.armed_count() == 0 || ++last_turns_ > last_turns_max) {
      counted_.publish();
      stage_ = Stage::stopped;
    } else if (!cancel_all_.armed()) {
      cancel_all_.start_all(ring_);
    }
  }
  void on_cancel_all(Cqe) noexcept {}

  // A cancel can miss what is just going on; what a stopped reactor has not taken does not end.
  static constexpr unsigned last_turns_max = 64;

  Ring ring_{{.sq_entries = 256, .cq_entries = 512}};
  FileTable table_;
  SlabPool<Passing<ReactorAcceptor>> passings_;
  ReactorChoice choice_;
  std::vector<ReactorChoice::Candidate> candidates_;
  std::vector<std::unique_ptr<ReactorOutlet>> outlets_;
  WorkerStats& stats_;
  RingStatistics counted_{ring_, stats_};
  int control_fd_ = -1;
  Stage stage_ = Stage::serving;
  bool broken_ = false;      ///< a reactor does not read what it is told
  std::size_t parcels_ = 0;  ///< that have come
  unsigned last_turns_ = 0;
  std::uint64_t start_ns_ = 0;
  Passing<ReactorAcceptor>* failed_ = nullptr;  ///< to be started again at the next tick
  Acceptor<ReactorAcceptor> acceptor_;
  Bind<Timer, &ReactorAcceptor::on_tick> timer_{*this};
  Bind<ReadControl, &ReactorAcceptor::on_control> read_control_{*this};
  Bind<Cancel, &ReactorAcceptor::on_cancel_all> cancel_all_{*this};
};

}  // namespace lab
