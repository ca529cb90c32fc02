// A model of the kernel in the place of io_uring_enter: it reads the queued SQEs, answers them in
// any order that a kernel may, and writes the CQEs by hand. The ring is a real one that was never
// enabled, so everything that registers is real as well.
//
// What is legal and drawn here: an accept's CQE before the close's of the same slot; receives that
// end with data, with nothing, or for lack of a buffer while there is no data; bundles of any
// number of buffers, and entries of the buffer ring that are shortened, for good, by who only
// looked at them; the last CQE of an operation behind those of others that were later; data after
// the cancel; a cancel's CQE first or last, and -ENOENT for what is just going on; short sends, and
// partial counts of cancelled ones; notifications long after the result and after the close;
// connects that are refused, late or never answered; and, on kernels that keep the files of closed
// slots, the end of a connection long after its close.
// What only a bug in the server can do ends the seed: Trace::fail.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <unordered_set>
#include <vector>

#include "01-core/lib/ring.hpp"
#include "03-network/lib/buffer_ring.hpp"
#include "06-server/lib/engine/worker_buffers.hpp"
#include "tests/fake_kernel/fake_acceptor.hpp"
#include "tests/fake_kernel/limits_oracle.hpp"
#include "tests/fake_kernel/network.hpp"

namespace lab::fake {

/// Memory that a send reads, and where its bytes stand in the stream.
struct Payload {
  std::vector<iovec> pieces;
  std::uint64_t position = 0;
};

/// An SQE that was taken and is not answered for good.
struct Operation {
  enum class Kind : std::uint8_t {
    accept,
    receive,
    poll,
    send,
    cancel,
    shutdown,
    close,
    option,
    timer,
    read,
    fin,
    socket,
    connect,
    room,     ///< a poll on behalf of the other one of a pair
    knob,     ///< an option before the connect
    install,  ///< asks where a client comes from
    loss,     ///< waits for the reset of a peer that has sent all
    message   ///< with credits, to an acceptor's ring
  };

  Kind kind;
  std::uint64_t user_data = 0;
  std::shared_ptr<Socket> socket;
  std::shared_ptr<Operation> linked;  ///< starts when this one is over
  int slot = -1;
  std::uint64_t number = 0;  ///< among those on slots, in the order of their beginning
  bool multishot = false;
  bool bundles = false;   ///< a receive whose CQEs may take several buffers
  bool discards = false;  ///< a receive without a buffer: what comes is thrown away
  bool over = false;
  std::uint64_t ready_at = 0;  ///< nothing happens to it before

  bool fresh = true;       ///< not tried yet: it looks for a buffer whatever the socket holds
  bool going_on = false;   ///< between two rounds of a multishot: a cancel cannot find it
  bool cancelled = false;  ///< its last CQE is due, and nothing else will come
  unsigned missed = 0;     ///< cancels that did not find it

  Payload payload;
  std::uint64_t length = 0;  ///< of a send; of a receive, after which it ends; credits; or 0
  std::uint64_t done = 0;
  bool waits_for_all = false;  ///< MSG_WAITALL
  bool zero_copy = false;
  bool report_usage = false;

  int result = 0;  ///< of a cancel
  std::uint64_t period_ns = 0;

  std::byte* memory = nullptr;       ///< of a read; of an accept, where the address goes; or null
  socklen_t* memory_size = nullptr;  ///< of an accept: the space, then the address's size
  int fd = -1;
  unsigned upstream = 0;  ///< of a connect: its number
};

/// The second CQE of a zero-copy send, which comes when the peer has acknowledged its bytes.
struct Notification {
  std::uint64_t user_data;
  std::shared_ptr<Socket> socket;
  Payload payload;
  std::uint64_t bytes;
  std::uint64_t not_before;
  bool copied;   ///< the kernel reads its copy: nobody's acknowledgement is waited for
  bool reports;  ///< its CQE says so
};

/// The file of a closed slot, on kernels that keep it until what began earlier has ended.
struct KeptFile {
  std::shared_ptr<Socket> socket;
  std::uint64_t number;  ///< of its close
  std::uint64_t closed_at;
};

class FakeKernel {
 public:
  FakeKernel(const Scenario& scenario, Random& random, Clock& clock, Trace& trace,
             Network& network);

  /// REQUIRES: every buffer of the ring is provided.
  void attach(Ring& ring, const BufferRing& buffers, PooledBuffers& pooled);
  Kernel kernel() noexcept { return {&FakeKernel::enter, &FakeKernel::now, this}; }
  /// Where the worker is a reactor: who gives it its clients.
  FakeAcceptor& acceptor() noexcept { return acceptor_; }

  /// Called in each enter before anything is submitted: joins those that relay.
  void watch_pairs(std::function<void()> watch) { watch_pairs_ = std::move(watch); }
  /// The server sends on between these two slots, for all their life.
  /// @param relays in both directions; before, what the upstream says is sent on
  void join(int client_slot, int upstream_slot, bool relays);
  /// Each upstream hears first who its client is.
  void introduce_clients() noexcept { introduces_ = true; }

  /// From here on connections may be closed when they are quiet, and no more are accepted.
  void draining() noexcept {
    draining_at_ = clock_.now();
    network_.draining();
  }
  /// A server that drains says so in its answers, which no script knows.
  bool off_script() const noexcept { return serves_http() && draining_at_ != 0; }

  // --- what the statistics are compared with ---
  std::uint64_t bytes_delivered() const noexcept { return bytes_delivered_; }
  /// Of these, to connections that were being given up: the server may have dropped them.
  std::uint64_t bytes_given_up() const noexcept { return bytes_given_up_; }
  std::uint64_t bytes_taken() const noexcept { return bytes_taken_; }
  std::uint64_t accepted() const noexcept { return accepted_; }
  const LimitsOracle& limits() const noexcept { return limits_; }
  std::uint64_t notifications() const noexcept { return notifications_posted_; }
  std::uint64_t sends() const noexcept { return sends_posted_; }
  std::uint64_t bundles() const noexcept { return bundles_posted_; }  ///< of two buffers or more

  /// For the end of a seed: what is still in flight but cancels, which point to no memory, and
  /// slots that are not free.
  std::size_t operations_in_flight() const noexcept;
  unsigned slots_taken() const noexcept;
  /// True when only TCP's timeout will bring what is due: notifications of peers that are gone, on
  /// slots that are closed or on a kernel that cannot reset.
  bool waits_for_tcp_alone() const noexcept;

 private:
  using Op = std::shared_ptr<Operation>;
  struct Held {
    std::uint64_t user_data;
    int result;
    unsigned flags;
  };

  static int enter(void* context, Ring& ring, unsigned to_submit, unsigned wait_for) noexcept;
  static std::uint64_t now(void* context) noexcept;

  // queues (fake_kernel.cpp)
  int enter(unsigned to_submit, unsigned wait_for);
  void oversleep();
  unsigned submit(unsigned count);
  Op parse(const io_uring_sqe& sqe);
  void parse_on_slot(const io_uring_sqe& sqe, const Op& op);
  void parse_send(const io_uring_sqe& sqe, Operation& op);
  void begin(const Op& op);
  void progress();
  void attempt(const Op& op);
  void post(std::uint64_t user_data, int result, unsigned flags);
  void write_cqe(const Held& cqe);
  void flush_overflow();
  unsigned ready() const noexcept;
  bool queue_has_room() const noexcept;
  void finish(Operation& op, int result, unsigned flags = 0);
  void post_finished();
  void delay(Operation& op);
  std::uint64_t draw_delay();

  // operations (fake_operations.cpp)
  void attempt_accept(Operation& op);
  void pass_clients();
  void attempt_message(Operation& op);
  std::size_t free_slot();
  static void write_address(const Operation& op, const Socket& socket);
  void attempt_receive(Operation& op);
  void finish_at_end(Operation& op);
  void deliver(Operation& op, bool last);
  unsigned buffers_for(const Operation& op);
  void shorten(io_uring_buf& entry);
  void attempt_poll(Operation& op);
  void attempt_send(Operation& op);
  void send_some(Operation& op, bool cut);
  void finish_send(Operation& op, int result);
  void attempt_shutdown(Operation& op);
  void attempt_close(Operation& op);
  bool keeps(const Operation& op, const KeptFile& file) const noexcept;
  void release_files();
  void attempt_option(Operation& op);
  void attempt_timer(Operation& op);
  void attempt_read(Operation& op);
  void attempt_fin(Operation& op);
  void discard(Operation& op);

  // dialling (fake_dialling.cpp)
  bool parse_dialling(const io_uring_sqe& sqe, Operation& op);
  bool is_room(const io_uring_sqe& sqe) const;
  void begin_dialling(Operation& op);
  void attempt_socket(Operation& op);
  void attempt_connect(Operation& op);
  void attempt_room(Operation& op);
  void attempt_loss(Operation& op);
  void attempt_install(Operation& op);
  static std::size_t agrees(const Socket& socket, std::uint64_t position,
                            std::span<const std::byte> heard);
  bool is_being_introduced(const Socket& client) const noexcept;
  void judge_half(Socket& socket);
  void judge_alone(const Socket& socket);
  void judge_fin(const Socket& socket);
  void judge_close_of_half(Socket& socket);
  bool may_be_cut(const Socket& socket);
  bool ends_by_cancel(const Socket& socket) const noexcept;
  void cancel(const Op& op, std::uint64_t target);
  void cancel_all(const Op& op);
  void end_cancelled(Operation& op);
  void attempt_notifications();

  // buffers (fake_operations.cpp)
  void take_provided();
  unsigned take_buffer();
  io_uring_buf& entry_at(unsigned place) const noexcept;
  void fill(unsigned id, const Script& script, std::uint64_t position, unsigned count);
  void scribble_pooled();
  void judge_piece(const Socket& socket, const iovec& piece);
  void scribble(unsigned id);
  int buffer_of(const void* address) const noexcept;
  void compare(const Socket& socket, const Payload& payload, std::uint64_t bytes, const char* when);

  // oracles (fake_oracles.cpp)
  void judge_send(const Operation& op);
  void judge_slot(int slot, const char* what);
  void judge_owner(const Operation& op);
  void judge_close(const Operation& op);
  void give_up(Socket& socket);
  void judge_rest();
  void judge_kept();
  void judge_connection(Socket& socket);
  void judge_hunger(Socket& socket);
  void judge_silence(Socket& socket);
  bool waits_for_more() const noexcept;
  bool thinks(const Socket& socket) const noexcept;
  std::uint64_t patience() const noexcept;
  void judge_accepting();
  static constexpr std::uint64_t everything = ~std::uint64_t{0};
  bool cancel_in_flight(std::uint64_t target) const noexcept;

  const Scenario& scenario_;
  const Chances& chances_;
  Random& random_;
  Clock& clock_;
  Trace& trace_;
  Network& network_;
  LimitsOracle limits_;
  FakeAcceptor acceptor_{random_, clock_, trace_, network_};
  std::function<void()> watch_pairs_;
  std::uint64_t dials_failed_ = 0;
  bool introduces_ = false;  ///< a line about each client goes before its bytes
  Ring* ring_ = nullptr;
  const BufferRing* buffers_ = nullptr;
  PooledBuffers* pooled_ = nullptr;
  std::vector<bool> pooled_home_;    ///< as at the last look
  std::uint64_t pooled_out_at_ = 0;  ///< when too few of them were last seen home

  std::vector<Op> operations_;
  std::unordered_set<std::uint64_t> cancelling_;  ///< targets of cancels, as the judge begins
  bool reading_ = false;                          ///< a piece of a file is on its way, then
  std::vector<Notification> notifications_;
  std::deque<Held> overflow_;
  std::vector<Held> finished_;  ///< last CQEs, which come behind the others of this round
  unsigned idle_enters_ = 0;
  std::uint64_t enters_ = 0;

  std::vector<std::shared_ptr<Socket>> table_;
  std::vector<std::shared_ptr<Socket>> zombies_;  ///< closed, with notifications due
  std::deque<KeptFile> kept_;
  std::uint64_t numbered_ = 0;
  unsigned slot_hint_ = 0;
  std::uint64_t tick_data_ = 0;        ///< user_data of the server's timer
  bool tick_posted_ = false;           ///< in this enter
  std::uint64_t accept_again_at_ = 0;  ///< the server may pause until then
  std::uint64_t accept_data_ = 0;      ///< user_data of the multishot accept

  std::vector<bool> home_;
  unsigned home_count_ = 0;
  std::uint64_t home_empty_at_ = 0;
  std::uint16_t provided_tail_ = 0;
  std::uint16_t provided_head_ = 0;

  /// What came in the last moments before a connection was cut short may have been dropped.
  std::uint64_t given_up_ns() const noexcept { return 100 * millisecond + 3 * scenario_.slow_ns; }

  std::uint64_t draining_at_ = 0;
  bool can_reset_ = true;
  std::uint64_t bytes_delivered_ = 0;
  std::uint64_t bytes_given_up_ = 0;
  std::uint64_t bytes_taken_ = 0;
  std::uint64_t accepted_ = 0;
  std::uint64_t notifications_posted_ = 0;
  std::uint64_t sends_posted_ = 0;
  std::uint64_t bundles_posted_ = 0;
};

}  // namespace lab::fake
