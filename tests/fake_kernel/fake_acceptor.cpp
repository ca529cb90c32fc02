#include "tests/fake_kernel/fake_acceptor.hpp"

#include <utility>

namespace lab::fake {

void FakeAcceptor::attach(Handover& handover) noexcept {
  handover_ = &handover;
  handover.acceptor_fd = ring_fd;
  handover.credits_home = mailbox;
}

bool FakeAcceptor::take(std::uint64_t wait_ns) {
  if (stopped_ || credits_ == 0 || network_.queue().empty()) return false;
  --credits_;
  HandoverPlace& place = handover_->places[next_];
  next_ = (next_ + 1) % Handover::places_max;
  if (place.full) trace_.fail("accepting", "a credit for a place that is taken");
  const auto socket = network_.accept();
  place.address = socket->peer->plan.address;
  place.full = true;
  trace_.note("#{} is passed on, {} credits are left", socket->id, credits_);
  messages_.push_back({socket, place.arrival, clock_.now() + wait_ns});
  if (wait_ns > 0) clock_.after(wait_ns, [] {});
  return true;
}

std::optional<FakeAcceptor::Arrival> FakeAcceptor::arrived() {
  std::vector<std::size_t> there;
  for (std::size_t index = 0; index < messages_.size(); ++index) {
    if (messages_[index].ready_at <= clock_.now()) there.push_back(index);
  }
  if (there.empty()) return {};
  const auto chosen =
      messages_.begin() + static_cast<std::ptrdiff_t>(there[random_.below(there.size())]);
  Arrival arrival{std::move(chosen->socket), chosen->user_data};
  messages_.erase(chosen);
  Socket& socket = *arrival.socket;
  socket.active_at = socket.acknowledged_at = socket.all_sent_at = clock_.now();
  return arrival;
}

void FakeAcceptor::judge_message(const io_uring_sqe& sqe) {
  if (handover_ == nullptr || sqe.fd != ring_fd || sqe.off != mailbox ||
      sqe.addr != IORING_MSG_DATA || sqe.msg_ring_flags != 0) {
    trace_.fail("safety", "a message to ring {} that is none with credits", sqe.fd);
  }
}

void FakeAcceptor::give(std::uint64_t credits) {
  credits_ += credits;
  trace_.note("{} credits come home: {}", credits, credits_);
  if (credits == 0 || credits_ + messages_.size() > Handover::places_max) {
    trace_.fail("accepting", "{} credits beside {} clients on their way, for {} places", credits_,
                messages_.size(), Handover::places_max);
  }
}

}  // namespace lab::fake
