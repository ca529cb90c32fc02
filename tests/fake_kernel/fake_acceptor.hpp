// The other end of a reactor's handover, in the place of an acceptor's thread and its ring: clients
// come out of the backlog for credits, and each travels by a message. What is legal and drawn: how
// long a message is on its way, that messages overtake each other, and that credits come late.
// A client that the reactor has no place for, or credits for more places than there are, end the
// seed.
#pragma once

#include <liburing.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "06-server/lib/engine/handover.hpp"
#include "tests/fake_kernel/network.hpp"

namespace lab::fake {

class FakeAcceptor {
 public:
  FakeAcceptor(Random& random, Clock& clock, Trace& trace, Network& network)
      : random_(random), clock_(clock), trace_(trace), network_(network) {}

  /// A client that has arrived, and user_data of its message.
  struct Arrival {
    std::shared_ptr<Socket> socket;
    std::uint64_t user_data;
  };

  /// Before the reactor's start.
  void attach(Handover& handover) noexcept;
  /// After it: its first credits are there.
  void begin() noexcept { credits_ = handover_->first_credits; }
  bool attached() const noexcept { return handover_ != nullptr; }

  /// Takes a client from the backlog, if there is one and a credit for it.
  /// @param wait_ns its message is on its way for so long
  /// @return false: there was none
  bool take(std::uint64_t wait_ns);
  /// One whose message is there, in any order.
  std::optional<Arrival> arrived();
  /// Clients are on their way.
  bool any_on_their_way() const noexcept { return !messages_.empty(); }
  /// It may take one: it has a credit, or will have one.
  bool has_credits() const noexcept { return credits_ > 0; }
  /// No more: the reactor is going to drain.
  void stop() noexcept { stopped_ = true; }

  /// The reactor sends credits: this is what the message must be.
  void judge_message(const io_uring_sqe& sqe);
  void give(std::uint64_t credits);

 private:
  struct Message {
    std::shared_ptr<Socket> socket;
    std::uint64_t user_data;
    std::uint64_t ready_at;
  };

  static constexpr int ring_fd = 1'000'000;  ///< nobody's
  static constexpr std::uint64_t mailbox = 0xc4ed175;

  Random& random_;
  Clock& clock_;
  Trace& trace_;
  Network& network_;
  Handover* handover_ = nullptr;
  std::uint64_t credits_ = 0;
  std::uint32_t next_ = 0;  ///< the place that is taken next
  std::vector<Message> messages_;
  bool stopped_ = false;
};

}  // namespace lab::fake
