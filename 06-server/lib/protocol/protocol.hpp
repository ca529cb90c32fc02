// The seam between what bytes mean and how they move.
//
// A protocol is told what came and says what shall go. It sees no ring, socket or descriptor, and
// allocates nothing after its constructor. An engine (connection.hpp is one) moves bytes and knows
// no protocol by name. Rules:
// 1. A hook appends and takes note; it never starts a send, and it destroys nothing.
// 2. The Io is a parameter of each hook and is never stored. A protocol that wraps another builds
//    an Io of its own on the stack and hands that on.
// 3. Whoever finishes something outside a hook calls wake() of a Waker; on_turn() follows.
// 4. What a protocol has in flight of its own joins the connection's close: at_rest().
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "06-server/lib/limits/client_address.hpp"
#include "06-server/lib/protocol/segment.hpp"

namespace lab {

/// An engine counts time in steps of so many milliseconds; Io::tick() says how many have passed. It
/// wraps, so only differences count.
inline constexpr std::uint32_t protocol_tick_ms = 25;

/// A piece of an open file. Lifetime: the descriptor stays open until its bytes have come.
struct FileRange {
  int fd = -1;               ///< open for reading
  std::uint64_t offset = 0;  ///< bytes from the beginning of the file
  std::uint32_t length = 0;  ///< bytes; more than a pooled buffer holds come in several pieces
  /// What the whole file was; no piece comes of another. By its time and size, which a write
  /// through mmap(2) may change late.
  std::uint64_t file_size = 0;   ///< 0: whatever is there is right
  std::int64_t modified_ns = 0;  ///< since 1970
};

/// Whether bytes are wanted from the peer. Off: on_bytes() does not come, and the peer is made to
/// wait. What was on its way is kept until bytes are wanted again.
enum class Receive : std::uint8_t {
  on,  ///< what was kept comes first
  off  ///< what still comes is kept
};

/// How a connection ends after its last byte was sent.
enum class Finish : std::uint8_t {
  close,  ///< at once: a peer that still sends gets a reset
  /// FIN, and what the peer still sends is thrown away for a while: a reset could overtake the
  /// answer that says why (RFC 9112, 9.6)
  linger
};

/// Rouses one connection from outside of its hooks. A value; it lives as long as the connection.
class Waker {
 public:
  /// Never on_turn() itself: it notes that the connection is to have its turn.
  using Wake = void (*)(void* connection) noexcept;
  /// @param connection what the function is called with
  Waker(void* connection, Wake function) noexcept : connection_(connection), wake_(function) {}
  /// on_turn() follows, once, however often it is called.
  void wake() const noexcept { wake_(connection_); }

 private:
  void* connection_;
  Wake wake_;
};

/// What an engine offers to a hook.
template <class T>
concept Io = requires(T& io, const T& seen, Segment segment, const FileRange& range) {
  /// Sends these bytes after all others. REQUIRES: room() > 0, or a received segment that is no
  /// piece of one.
  { io.send(std::move(segment)) }
  noexcept;
  /// Bytes that may still be sent without regard to the peer; the last segment may be larger. 0:
  /// on_turn() follows when there is room.
  { seen.room() }
  noexcept->std::same_as<std::uint32_t>;
  /// Nothing waits to be sent and nothing is on its way; on_turn() follows when it becomes true.
  { seen.all_sent() }
  noexcept->std::same_as<bool>;
  /// An empty pooled buffer; none: on_turn() follows when one is to be had. There is no
  /// promise of two at once: whoever would like two gives the first back and makes do with one.
  { io.take_buffer() }
  noexcept->std::same_as<PooledBuffer>;
  /// Reads the first piece of a file; it comes as on_file(). One at a time; false: no buffer is
  /// there, and on_turn() follows when one is.
  { io.read_file(range) }
  noexcept->std::same_as<bool>;
  { io.receive(Receive::off) }
  noexcept;
  /// The rest of what on_bytes() brought goes back: receive(Receive::off), and later it comes again
  /// before all other bytes.
  { io.unread(std::move(segment)) }
  noexcept;
  /// Nothing more is wanted from the peer, and on_bytes() does not come any more; what is queued is
  /// sent, then it ends.
  { io.finish(Finish::close) }
  noexcept;
  /// Everything is dropped, and the peer gets a reset.
  { io.reset() }
  noexcept;
  /// Counts a request that has come. False: its client asks too often, and is told so instead of
  /// what it asked for. The first request of a connection was counted with it. True where there are
  /// no limits.
  { io.admit_request() }
  noexcept->std::same_as<bool>;
  /// Counts a request that is answered in any case: who asks too often is not received from until
  /// it may ask again.
  { io.pace() }
  noexcept;
  { seen.tick() }
  noexcept->std::same_as<std::uint32_t>;
  { io.waker() }
  noexcept->std::same_as<Waker>;
  /// Where the peer is; :: where the engine was not asked for addresses.
  { seen.peer() }
  noexcept->std::same_as<ClientAddress>;
};

/// An Io that does nothing, to ask whether a hook could be called.
struct AnyIo {
  void send(Segment) noexcept {}                               ///< see Io
  std::uint32_t room() const noexcept { return 0; }            ///< see Io
  bool all_sent() const noexcept { return true; }              ///< see Io
  PooledBuffer take_buffer() noexcept { return {}; }           ///< see Io
  bool read_file(const FileRange&) noexcept { return false; }  ///< see Io
  void receive(Receive) noexcept {}                            ///< see Io
  void unread(Segment) noexcept {}                             ///< see Io
  void finish(Finish) noexcept {}                              ///< see Io
  void reset() noexcept {}                                     ///< see Io
  bool admit_request() noexcept { return true; }               ///< see Io
  void pace() noexcept {}                                      ///< see Io
  std::uint32_t tick() const noexcept { return 0; }            ///< see Io
  /// See Io.
  Waker waker() noexcept {
    return {nullptr, [](void*) noexcept {}};
  }
  ClientAddress peer() const noexcept { return {}; }  ///< see Io
};
static_assert(Io<AnyIo>);

/// What bytes mean.
template <class P>
concept Protocol = requires(P& protocol, const P& seen, AnyIo& io, Segment bytes) {
  /// What all connections of a worker have in common; made before the loop, it outlives them.
  requires std::constructible_from<P, typename P::Shared&>;
  { protocol.on_open(io) }
  noexcept;
  { protocol.on_bytes(io, std::move(bytes)) }
  noexcept;
  /// What read_file() brought. Empty: the file has ended there, is not what it was, or cannot be
  /// read.
  { protocol.on_file(io, std::move(bytes)) }
  noexcept;
  /// Something happened: bytes have left, a buffer is to be had, wake() was called, the deadline is
  /// over. It may come without a reason.
  { protocol.on_turn(io) }
  noexcept;
  /// The peer sends no more: its FIN. It comes after the last on_bytes().
  { protocol.on_end(io) }
  noexcept;
  /// The server ends: whoever is idle is finished by the engine; nothing new should be begun.
  { protocol.on_drain(io) }
  noexcept;
  /// The engine ends it: it rests in a drain, or nothing has moved for too long. What is sent now
  /// still goes out.
  { protocol.on_wind_up(io) }
  noexcept;
  /// The connection is lost: nothing more is sent. What the protocol has in flight shall end.
  { protocol.on_abort() }
  noexcept;
  /// Nothing is half received, half answered or thought about. If it wants no bytes either, the end
  /// of the server throws away what has come.
  { seen.idle() }
  noexcept->std::same_as<bool>;
  /// Nothing of its own is in flight.
  { seen.at_rest() }
  noexcept->std::same_as<bool>;
  /// Received segments that it keeps: their buffers are its connection's.
  { seen.leases() }
  noexcept->std::same_as<std::uint32_t>;
  /// Pooled buffers that it keeps from one hook to the next. While others wait for one, whoever
  /// keeps one and does not move is reset.
  { seen.buffers() }
  noexcept->std::same_as<std::uint32_t>;
  /// The tick at which on_turn() shall be called, within a second; no_deadline: none.
  { seen.deadline() }
  noexcept->std::same_as<std::uint32_t>;
  /// What it needs of the engine beside bytes: pooled buffers and files cost each connection room.
  { P::uses_buffers } -> std::convertible_to<bool>;
};

/// A protocol may say `static constexpr bool dials = true`: it needs an Io that dials, see
/// dialling.hpp. A second connection costs each client a slot.
template <class P>
inline constexpr bool dials_out = requires {
  requires P::dials;
};

/// A protocol's Shared may put off what would make other connections wait: then it has
/// begin_turn(), which an engine calls before the hooks of a turn, and turn_is_due(). Without them
/// nothing happens.
template <class Shared>
void begin_turn(Shared& shared) noexcept {
  if constexpr (requires { shared.begin_turn(); }) shared.begin_turn();
}
/// @return an engine shall not wait for anything: something was put off until the next turn
template <class Shared>
bool turn_is_due(const Shared& shared) noexcept {
  if constexpr (requires { shared.turn_is_due(); }) return shared.turn_is_due();
  return false;
}

inline constexpr std::uint32_t no_deadline = ~std::uint32_t{0};  ///< no tick: see Protocol

/// What a protocol gets that says nothing else.
struct ProtocolDefaults {
  struct Shared {};                            ///< its connections have nothing in common
  static constexpr bool uses_buffers = false;  ///< received ones are enough

  void on_open(auto&) noexcept {}
  void on_file(auto&, Segment) noexcept {}
  void on_turn(auto&) noexcept {}
  void on_end(auto& io) noexcept { io.finish(Finish::close); }
  void on_drain(auto&) noexcept {}
  void on_wind_up(auto&) noexcept {}
  void on_abort() noexcept {}
  bool idle() const noexcept { return true; }                      ///< it never waits for anything
  bool at_rest() const noexcept { return true; }                   ///< see Protocol
  std::uint32_t leases() const noexcept { return 0; }              ///< see Protocol
  std::uint32_t buffers() const noexcept { return 0; }             ///< see Protocol
  std::uint32_t deadline() const noexcept { return no_deadline; }  ///< see Protocol
};

}  // namespace lab
