// A relay: what left says goes to right, and back. As it is, each direction receives as fast as it
// can, takes each send for a whole one, and ends everything at the first end. Combine what 03-09,
// 03-10 and 03-18 taught.
#include "03-network/19-echo-again/check.hpp"
#include "03-network/lib/recv_multishot.hpp"
#include "03-network/lib/send.hpp"

namespace {

class Relay;

// One direction.
class Pump {
 public:
  Pump(check::Machine& machine, Relay& relay, lab::FileSlot from, lab::FileSlot to)
      : machine_(machine), relay_(relay), from_(from), to_(to) {}

  void receive() noexcept { recv_.start_once(machine_.ring, from_, machine_.buffers); }

 private:
  void send() noexcept { send_.start(machine_.ring, to_, outbox_.front().bytes()); }

  void on_recv(lab::Cqe cqe) noexcept {
    // YOUR TURN 3 (03-18): 0 is left's or right's FIN. The other side has to hear of it
    // (lab::SendFin is an operation like the others), and it may still have something to say.
    if (check::received(cqe) == 0) return on_end(cqe);
    outbox_.push(machine_.buffers.lease(cqe));
    if (!send_.armed()) send();
    // YOUR TURN 1 (03-10): there are two buffers for both directions. When is the right moment?
    receive();
  }

  void on_send(lab::Cqe cqe) noexcept {
    // YOUR TURN 2 (03-09): how much of the front did the socket take?
    check::sent(cqe);
    outbox_.pop();
    if (!outbox_.empty()) send();
  }

  void on_end(lab::Cqe) noexcept;

  check::Machine& machine_;
  Relay& relay_;
  const lab::FileSlot from_;
  const lab::FileSlot to_;
  lab::LeaseQueue outbox_{machine_.leases};
  lab::Bind<lab::RecvMultishot, &Pump::on_recv> recv_{*this};
  lab::Bind<lab::Send, &Pump::on_send> send_{*this};
};

class Relay {
 public:
  explicit Relay(check::Machine& machine) : machine_(machine) {}

  void start() noexcept {
    to_right_.receive();
    to_left_.receive();
  }

  void on_direction_ended() noexcept {
    // YOUR TURN 3: there are two directions, and both use both sockets.
    close_left_.start(machine_.ring, check::left_slot);
    close_right_.start(machine_.ring, check::right_slot);
  }

 private:
  void on_close(lab::Cqe) noexcept {}

  check::Machine& machine_;
  Pump to_right_{machine_, *this, check::left_slot, check::right_slot};
  Pump to_left_{machine_, *this, check::right_slot, check::left_slot};
  lab::Bind<lab::CloseSlot, &Relay::on_close> close_left_{*this};
  lab::Bind<lab::CloseSlot, &Relay::on_close> close_right_{*this};
};

void Pump::on_end(lab::Cqe) noexcept { relay_.on_direction_ended(); }

}  // namespace

int main(int argc, char** argv) { return check::judge<Relay>(argc, argv); }
