// The world beyond the kernel's system calls: connections with their windows, the listener's queue,
// and clients that each behave in their own way. Streams are counted here, not stored: what byte n
// must be follows from n, and the fake kernel compares it where the server's memory is read.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "tests/fake_kernel/clock.hpp"
#include "tests/fake_kernel/scenario.hpp"
#include "tests/fake_kernel/script.hpp"

namespace lab::fake {

struct Operation;
struct Peer;
struct Socket;

/// How a connect will end.
struct DialPlan {
  std::uint64_t at = 0;  ///< when the other side has answered
  int error = 0;         ///< what it said; 0: it took the connection
};

/// One connection, from the client's connect until both sides have forgotten it.
struct Socket {
  unsigned id = 0;
  std::shared_ptr<const Script> script;
  Peer* peer = nullptr;

  // Towards the server.
  std::uint64_t sent = 0;       ///< by the client
  std::uint64_t delivered = 0;  ///< of these, in CQEs of receives
  bool fin = false;             ///< the client sends no more
  std::uint64_t unread_at = 0;  ///< since when something waits to be received
  std::uint64_t unread() const noexcept { return sent - delivered; }
  /// Bytes that the server has to send for what it has received.
  std::uint64_t unsent() const {
    if (other != nullptr) return other->line.size() + other->delivered - taken;
    return script->listens() || dials() ? 0 : script->due(delivered) - taken;
  }

  // Towards the client.
  std::uint64_t taken = 0;    ///< by sends of the server
  std::uint64_t arrived = 0;  ///< of these, acknowledged
  std::uint64_t read = 0;     ///< of these, by the client
  std::uint32_t send_room = 0;
  std::uint32_t peer_room = 0;
  std::uint64_t room() const noexcept {
    const std::uint64_t unacknowledged = taken - arrived;
    return unacknowledged < send_room ? send_room - unacknowledged : 0;
  }
  bool writable() const noexcept { return dead || 3 * room() >= send_room; }

  std::uint64_t came_at = 0;      ///< when the server was given it, unless the queue was full
  bool let_in = false;            ///< past the server's limits, if it has any
  bool left = false;              ///< and does not count any more
  bool asked = false;             ///< something was received from it
  std::uint64_t paced_least = 0;  ///< it is surely made to wait until then, by its limits
  std::uint64_t paced_most = 0;   ///< and perhaps until then
  bool dead = false;              ///< reset by either side, or given up
  int error = 0;                  ///< why, until it was reported
  bool error_before_data = false;
  bool vanished = false;
  bool closed = false;  ///< by the server, or shut down
  bool half = false;    ///< of closed: the server sends no more, and still receives
  bool linger = false;  ///< closing resets it

  // Where the server dials.
  Socket* other = nullptr;      ///< whose bytes are sent here, from when the two are joined
  bool dialled = false;         ///< the server made it
  DialPlan dial;                ///< from its connect on
  bool connecting = false;      ///< a connect was begun
  bool connected = false;       ///< and has succeeded, as the server was told
  bool cut = false;             ///< it was closed before its time, for a reason
  unsigned options = 0;         ///< set on it before its connect
  std::uint64_t heard_at = 0;   ///< the latest data received
  std::uint64_t dial_data = 0;  ///< user_data of its connect
  std::uint64_t room_data = 0;  ///< user_data of its poll for the other one
  std::uint64_t loss_data = 0;  ///< and of that for its own reset
  unsigned own = 0;             ///< operations in flight that are no receive and no send
  std::string line;             ///< of a client: what its upstream hears before the first byte
  bool introduces = false;      ///< its upstream is there, and what it says is not passed on yet
  unsigned installs = 0;        ///< of own: those that ask where it comes from

  // What the server has in flight here, and what it was told.
  int slot = -1;
  Operation* receive = nullptr;    ///< a receive or a poll
  Operation* loss = nullptr;       ///< a poll for its reset
  Operation* send = nullptr;       ///< whose result is due
  std::uint64_t receive_data = 0;  ///< user_data of its receives: one owner for all its life
  std::uint64_t send_data = 0;     ///< user_data of the latest send
  unsigned notifications_due = 0;
  bool ending = false;       ///< something was cancelled: what comes now says nothing of the client
  bool close_begun = false;  ///< what is linked before its close was submitted
  bool closing = false;      ///< its close was submitted
  bool end_told = false;     ///< a receive returned 0
  bool error_told = false;   ///< an operation returned an error that ends a connection
  std::uint64_t active_at = 0;  ///< latest data received or sent
  std::uint64_t roused_at = 0;  ///< the latest of these that came after a pause of 150 ms
  void rouse(std::uint64_t now) noexcept {
    if (now >= active_at + 150 * millisecond) roused_at = now;
    active_at = now;
  }
  std::uint64_t progress_at =
      0;  ///< latest bytes taken or notification of a send, or its first start
  std::uint64_t parked_at = 0;  ///< since when nothing is in flight for it, as seen; or 0
  std::uint64_t hungry_at = 0;  ///< since when it has data, nothing unsent and no buffer; or 0
  std::uint64_t hungry_delivered = 0;
  std::uint64_t all_sent_at = 0;  ///< when all that was due was last sent
  std::uint64_t mute_taken = 0;
  std::uint64_t mute_at = 0;  ///< since when it has something to say and no send in flight; or 0
  std::deque<std::pair<std::uint64_t, std::uint64_t>> recent;  ///< (time, bytes) delivered

  std::uint64_t acknowledged_at = 0;
  bool pumping = false;
  bool timing = false;
};

/// One client.
struct Peer {
  PeerPlan plan;
  std::shared_ptr<Socket> socket;
  bool in_queue = false;
  bool done = false;
  bool answered = false;  ///< got everything it wanted
  bool awake = false;     ///< its next step is on the clock
};

class Network {
 public:
  Network(const Scenario& scenario, Random& random, Clock& clock, Trace& trace);

  void start();

  /// From here on the server may end who has more to say.
  void draining() noexcept { draining_ = true; }
  bool all_done() const noexcept { return done_ == peers_.size(); }
  /// The first client that is not done, for the report.
  const Peer* undone() const noexcept;

  // --- what the fake kernel does ---

  std::deque<std::shared_ptr<Socket>>& queue() noexcept { return queue_; }
  std::shared_ptr<Socket> accept();
  /// One more client connects now, if one is left: while others are being accepted.
  void hurry();
  void abort_first_in_queue();

  /// The server makes a socket of its own.
  std::shared_ptr<Socket> make_socket();
  /// And connects it to the upstream with this number: what will come of it.
  void dial(const std::shared_ptr<Socket>& socket, unsigned upstream);
  /// What the one says is what the other hears.
  static void join(Socket& client, Socket& upstream);

  /// The server received: the client's window opens.
  void received(const std::shared_ptr<Socket>& socket);
  /// The server sent: what was taken travels.
  void taken(const std::shared_ptr<Socket>& socket, std::uint64_t bytes);
  /// The server sends no more: FIN after what was taken.
  void send_end(const std::shared_ptr<Socket>& socket);
  /// The server shut it down in both directions: FIN after what was taken.
  void shut_down(const std::shared_ptr<Socket>& socket);
  /// The server closed: FIN after what was taken, or a reset.
  void closed(const std::shared_ptr<Socket>& socket, bool reset);

 private:
  void connect(Peer& peer);
  void wake(Peer& peer, std::uint64_t delay_ns);
  void step(Peer& peer);
  void read_and_write(Peer& peer);
  void listen_and_talk(Peer& peer);
  void talk_through(Peer& peer);
  void serve(Peer& peer);
  void judge_end(const Socket& socket);
  void send(Peer& peer, std::uint64_t bytes);
  void finish(Peer& peer);
  void end_of_life(Peer& peer);
  void pump(const std::shared_ptr<Socket>& socket);
  void carry(const std::shared_ptr<Socket>& socket);
  void watch_timeout(const std::shared_ptr<Socket>& socket);
  void kill(Socket& socket, int error);

  const Scenario& scenario_;
  Random& random_;
  Clock& clock_;
  Trace& trace_;
  std::vector<std::unique_ptr<Peer>> peers_;
  std::vector<std::unique_ptr<Peer>> upstream_peers_;      ///< those that the server has dialled
  std::vector<std::shared_ptr<Socket>> sockets_of_pairs_;  ///< they know each other: none dies
  std::deque<std::shared_ptr<Socket>> queue_;
  std::size_t done_ = 0;
  unsigned sockets_ = 0;
  bool draining_ = false;
};

}  // namespace lab::fake
