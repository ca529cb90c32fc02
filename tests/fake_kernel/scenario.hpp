// What one seed draws before it runs: the server's limits, the kernel's habits and the clients.
// Each seed draws its own probabilities, so that some seeds have much of one thing and none of
// another.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <string>
#include <vector>

#include "01-core/lib/features.hpp"
#include "06-server/lib/engine/worker_options.hpp"
#include "tests/fake_kernel/random.hpp"
#include "tests/fake_kernel/script.hpp"

namespace lab::fake {

enum class Behaviour : std::uint8_t {
  ping_pong,    ///< a message, its echo, the next message; then half-close
  bulk,         ///< sends as fast as it may, reads at once, half-closes after the last byte
  slow_reader,  ///< sends as fast as it may, reads a little at a time
  never_reads,  ///< sends until the windows are full and reads nothing, ever
  resets,       ///< RST in mid-stream
  vanishes,     ///< says nothing any more, acknowledges nothing
  idles,        ///< connects and waits
  count
};

const char* name(Behaviour behaviour) noexcept;

/// Where a client comes from: clients have numbers, and addresses that differ in what does not
/// count.
inline constexpr unsigned clients_max = 12;
inline constexpr unsigned denied_clients = 2;  ///< the first of them, where a seed denies any

struct PeerPlan {
  Behaviour behaviour;
  std::uint64_t connect_ns;    ///< from the start of the seed
  std::uint64_t silent_ns;     ///< from its connect to its first byte
  std::uint64_t lifetime_ns;   ///< of those that do not end by themselves, from their connect
  std::uint64_t bytes;         ///< that it wants echoed
  std::uint32_t message;       ///< bytes of one message
  std::uint64_t pause_ns;      ///< between two messages, or two reads of a slow reader
  bool ends_with_fin;          ///< a never-reader half-closes when it has sent everything
  std::uint32_t receive_room;  ///< of its socket: acknowledged and not read
  unsigned client = 0;         ///< below clients_max; whose limits count
  sockaddr_in6 address{};
};

inline constexpr unsigned upstreams_max = 3;
inline constexpr unsigned first_port = 9001;  ///< of the first of them, and so on

/// How one upstream takes connections, in per mille; and who they are that serve there.
struct UpstreamPlan {
  unsigned refuses;
  unsigned hangs;  ///< nobody answers, ever
  unsigned late;   ///< the answer takes a second or more
  unsigned weights[static_cast<std::size_t>(Behaviour::count)];
};

/// In per mille.
struct Chances {
  unsigned at_once;  ///< an operation that can complete does so in the enter that submits it
  unsigned late;     ///< it takes milliseconds
  unsigned final_with_data;    ///< a multishot receive ends with data
  unsigned data_in_pieces;     ///< a receive brings less than there is
  unsigned empty_look;         ///< a receive looks for a buffer though there is no data
  unsigned empty_with_buffer;  ///< the end of the stream carries a buffer of no bytes
  unsigned entry_shortened;    ///< a bundle shortens a buffer's entry, whoever then takes it
  unsigned finished_last;      ///< an operation's last CQE comes behind those of others
  unsigned send_short;
  unsigned send_interrupted;
  unsigned zero_copy_fails;
  unsigned zero_copy_copied;
  unsigned notification_late;
  unsigned cancel_misses;   ///< -ENOENT though the target goes on
  unsigned cancel_already;  ///< -EALREADY
  unsigned cancel_first;    ///< its CQE comes before the target's
  unsigned after_cancel;    ///< the target ends with what it has: data, the end, no buffers
  unsigned close_late;      ///< the slot is free long before the close's CQE says so
  unsigned read_short;      ///< a read of a file brings less than there is
  unsigned accept_error;
  unsigned arrives_meanwhile;  ///< one more client while others are being accepted
  unsigned enter_error;        ///< -EINTR, -EBUSY or -EAGAIN
  unsigned error_first;        ///< a reset is reported before the data that came before it
};

/// How the run ends.
enum class Ending : std::uint8_t {
  served,   ///< drained after every client got what it wanted
  drained,  ///< drained in mid-traffic
  stopped   ///< the second signal: at once
};

struct Scenario {
  explicit Scenario(Random& random);

  std::string describe() const;

  WorkerOptions options;
  unsigned backlog;
  Chances chances;
  Features features;
  bool rotating_slots;            ///< the table hands out the next free slot, not the lowest
  bool listener_shuts_down;       ///< at the drain, which ends the accepts; else they are cancelled
  unsigned queue_limit;           ///< entries of the completion queue that the kernel uses
  std::uint32_t send_room;        ///< of an accepted socket: taken and not acknowledged
  std::uint32_t receive_room;     ///< of an accepted socket: arrived and not received
  std::uint64_t latency_ns;       ///< one way
  std::uint64_t user_timeout_ns;  ///< TCP_USER_TIMEOUT
  Ending ending;
  std::uint64_t ending_ns;  ///< when, unless all are served
  std::vector<PeerPlan> peers;
  std::vector<UpstreamPlan> upstreams;  ///< where the server dials
  /// The server gets its processor so late, or up to twice as early, in every second phase; or 0.
  std::uint64_t slow_ns = 0;
  std::uint64_t slow_phase_ns = 1;
  /// So long the kernel takes to say who a client is, whose upstream speaks meanwhile; or 0.
  std::uint64_t introduction_ns = 0;
};

/// Per mille: never, seldom or often.
unsigned swarm(Random& random);
/// The upstreams; in a few seeds all else follows from what they do.
void draw_upstreams(Random& random, Scenario& scenario);
/// Who takes one connection at an upstream.
PeerPlan draw_upstream_peer(const UpstreamPlan& kind, const Scenario& scenario, Random& random);

}  // namespace lab::fake
