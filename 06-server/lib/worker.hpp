// One core's server: a ring, a file table, a buffer ring and a slab of connections, shared with
// nobody.
//
// Lifetime: made and run by one thread. All memory is allocated by the constructor; after it there
// is no malloc, no lock and one system call per turn of the loop. Order of shutdown: cancel →
// results → close slots → notifications → free.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <span>

#include "01-core/lib/features.hpp"
#include "01-core/lib/timer.hpp"
#include "02-files/lib/huge_arena.hpp"
#include "03-network/lib/accept_multishot.hpp"
#include "05-performance/lib/ring_preset.hpp"
#include "05-performance/lib/slab_pool.hpp"
#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/connection.hpp"
#include "06-server/lib/worker_options.hpp"

namespace lab {

/// One byte at a time from the supervisor's end of a socketpair.
class ReadControl : public Completion {
 public:
  using Completion::Completion;

  void start(Ring& ring, int fd) noexcept {
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_recv(sqe, fd, &command_, 1, 0);
    ring.arm(sqe, *this);
  }

  char command() const noexcept { return command_; }

 private:
  char command_ = 0;
};

template <class Protocol>
class Worker {
 public:
  using Client = Connection<Protocol>;

  static constexpr char command_drain = 'd';
  static constexpr char command_stop = 's';

  /// @throws std::system_error, std::bad_alloc
  Worker(const WorkerOptions& options, const Features& features, WorkerStats& stats)
      : options_(options),
        features_(features),
        stats_(stats),
        ring_(ring_options(options)),
        table_(ring_, options.connections_max),
        arena_(std::size_t{options.buffer_count} * options.buffer_size),
        buffers_(ring_,
                 {.group = options.buffer_group,
                  .count = options.buffer_count,
                  .size = options.buffer_size},
                 arena_.memory()),
        lease_pool_(options.buffer_count + zero_copy_sends_max),
        gather_lists_(gather_lists_max),
        zero_copy_sends_(zero_copy_sends_max),
        connections_(options.connections_max + spare_connections),
        zero_copy_(zero_copy_mode(), options.zero_copy_threshold) {
    register_arena();
    reserve_ = std::max(options.buffer_count / 8, 4U);
    share_ = std::clamp(options.buffer_count / 128, 1U, 16U);
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Begins to accept and to tick.
  /// @param backlog what the listener's listen() got
  /// @param control_fd the supervisor's socketpair; -1: none
  void start(int listener_fd, unsigned backlog, int control_fd) noexcept {
    listener_fd_ = listener_fd;
    backlog_ = backlog;
    control_fd_ = control_fd;
    start_ns_ = ring_.now_ns();
    start_tick();
    if (control_fd_ >= 0) read_control_.start(ring_, control_fd_);
    steer_accepting();
  }

  /// Serves until it was drained or stopped.
  /// @return true when nothing is due any more; false means: _exit, the kernel may still use our
  /// memory
  bool run() noexcept {
    while (!stopped_) run_once();
    return ring_.armed_count() == 0;
  }

  /// One turn: one system call, the handlers, then what follows from them.
  void run_once() noexcept {
    ring_.run_once(more_to_grant_ ? 0 : 1);
    granted_this_turn_ = 0;
    while (Client* client = pop_ready()) client->advance();
    grant_buffers();
    if (!draining_) steer_accepting();
    if (draining_) steer_draining();
  }

  /// No more accepts; connections close when they are quiet, at the deadline they are reset.
  void drain() noexcept {
    if (draining_) return;
    draining_ = true;
    drain_tick_ = tick();
    drain_looked_tick_ = drain_tick_ - 1;
    // Ends every accept and sends those away who wait in the backlog. A supervisor that lives has
    // done it (ENOTCONN); after one that was killed the port is free for another server.
    if (shutdown(listener_fd_, SHUT_RDWR) == 0 || errno == ENOTCONN) return;
    // A model's listener is no socket. None of these is armed again, so nobody needs to hear of
    // their cancels.
    if (accept_multishot_.armed()) cancel_unheard(accept_multishot_);
    for (const Accept& one : accepts_) {
      if (one.accept.armed()) cancel_unheard(one.accept);
    }
  }

  /// At once: run() returns without waiting for anything.
  void stop() noexcept { stopped_ = true; }

  unsigned open_connections() const noexcept { return by_age_.size(); }
  unsigned waiting_connections() const noexcept { return waiting_.size(); }

  WorkerReport report() const noexcept {
    WorkerReport report;
    report.connections_max = options_.connections_max;
    report.setup_flags = ring_.setup_flags();
    report.registered_ring_fd = ring_.registered_fd();
    report.fixed_buffers = fixed_buffers_;
    report.fixed_buffers_error = fixed_buffers_error_;
    report.multishot_timer = features_.has(Feature::timer_multishot);
    report.multishot_is_fair = multishot_is_fair();
    report.can_reset = can_reset();
    report.slot_releases = slot_releases();
    report.zero_copy_reports = features_.has(Feature::zero_copy_report);
    std::snprintf(report.pages, sizeof report.pages, "%s", arena_.pages_name());
    return report;
  }

  // --- what connections need ---

  Ring& ring() noexcept { return ring_; }
  BufferRing& buffers() noexcept { return buffers_; }
  LeasePool& lease_pool() noexcept { return lease_pool_; }
  SlabPool<GatherList>& gather_lists() noexcept { return gather_lists_; }
  ZeroCopyPolicy& zero_copy() noexcept { return zero_copy_; }
  WorkerStats& stats() noexcept { return stats_; }
  /// Counts time in steps of tick_ms.
  std::uint32_t tick() const noexcept {
    return static_cast<std::uint32_t>((ring_.now_ns() - start_ns_) / tick_ns);
  }

  /// Buffers are so few that a multishot receive, which takes what it finds, would take them from
  /// others.
  bool scarce() const noexcept {
    return buffers_.free() < reserve_ + granted_this_turn_ ||
           buffers_.count() < multishot_buffers_min;
  }
  /// A connection may hold the fewer buffers the fewer there are: then many that do not read never
  /// get all.
  std::uint32_t lease_cap() const noexcept { return std::clamp(buffers_.free() / 32, 2U, 64U); }
  bool over_high_water(std::uint32_t held) const noexcept { return held > lease_cap(); }
  bool below_low_water(std::uint32_t held) const noexcept { return held <= lease_cap() / 2; }
  /// A multishot receive begins: what it may take at once is spoken for until the next turn shows
  /// what it did.
  /// @return where it ends by itself, in bytes (0: nowhere, the kernel cannot)
  std::uint32_t grant_multishot() noexcept {
    granted_this_turn_ += share_;
    return features_.has(Feature::recv_total) ? share_ * buffers_.size() : 0;
  }
  bool multishot_is_fair() const noexcept { return features_.has(Feature::recv_retry_limit); }
  bool can_reset() const noexcept { return features_.has(Feature::slot_options); }
  /// A closed slot lets its file go at once, whatever else is in flight (Linux 6.13).
  bool slot_releases() const noexcept { return features_.has(Feature::slot_release); }

  /// The SQE that comes next closes this slot: its peer shall hear of it now, not when the kernel
  /// lets the file go.
  void prepare_close(FileSlot slot) noexcept {
    if (slot_releases()) return;
    ring_.reserve(2);
    shutdown_.link_before_close(ring_, slot);
  }

  SendZeroCopy::Options zero_copy_options() const noexcept {
    return {.report_usage = features_.has(Feature::zero_copy_report),
            .what_fits = true,
            .fixed = fixed_buffers_,
            .buffer_index = 0};
  }
  /// A zero-copy send keeps its buffer until the peer has acknowledged, which a delayed ACK may put
  /// off for 40 ms. So a connection has no more of them than it may hold and still receive, and
  /// none is begun while most buffers are out.
  /// @param due notifications that the connection awaits already
  bool may_send_zero_copy(std::uint32_t due) const noexcept {
    return due < lease_cap() / 2 && buffers_.free() >= buffers_.count() / 2;
  }
  ZeroCopySend<Protocol>* create_zero_copy_send(Client& owner) noexcept {
    return zero_copy_sends_.create(owner, BufferLease{});
  }
  void destroy_zero_copy_send(ZeroCopySend<Protocol>& send) noexcept {
    zero_copy_sends_.destroy(&send);
  }
  void on_zero_copy_done(const Cqe& notification) noexcept {
    const bool copied = SendZeroCopy::copied(notification);
    zero_copy_.report(copied);
    stats_[copied ? Stat::zero_copy_copied : Stat::zero_copy_sent].add(1);
  }

  void mark_ready(Client& client) noexcept {
    if (client.ready) return;
    client.ready = true;
    client.ready_next = nullptr;
    (ready_tail_ != nullptr ? ready_tail_->ready_next : ready_head_) = &client;
    ready_tail_ = &client;
  }

  void receive_begins(Client& client) noexcept { receiving_.push_back(client); }
  void receive_ended(Client& client) noexcept { receiving_.remove(client); }
  void wait_for_buffer(Client& client) noexcept { waiting_.push_back(client); }
  void leave_waiting(Client& client) noexcept { waiting_.remove(client); }
  void move_to_youngest(Client& client) noexcept { by_age_.move_to_back(client); }

  void on_slot_closed() noexcept {
    LAB_ASSERT(slots_used_ > 0);
    --slots_used_;
    ++closed_since_renewal_;
  }

  /// Nothing is due on it any more.
  void release(Client& client) noexcept {
    by_age_.remove(client);
    connections_.destroy(&client);
    stats_[Stat::closed].add(1);
  }

 private:
  static constexpr unsigned accepts_max = 64;  // one-shot accepts in flight
  static constexpr unsigned spare_connections =
      64;  // slots that are reused before their close is seen
  static constexpr unsigned multishot_buffers_min = 256;  // with fewer, every receive is one-shot
  // Bytes. A writable socket has a third of its room free, 6 KB with the smallest send buffer that
  // Linux gives by itself (20 KB, at a segment size of 88); there, bytes are charged up to ten
  // times.
  static constexpr std::uint32_t bite = 256;
  static constexpr std::uint32_t bites_ticks = 2;  // so long a whole buffer is waited for
  static constexpr unsigned shed_per_tick_max = 64;
  static constexpr unsigned zero_copy_sends_max = 1024;
  static constexpr unsigned gather_lists_max = 256;
  static constexpr unsigned tick_ms = 25;
  static constexpr std::uint64_t tick_ns = std::uint64_t{tick_ms} * 1'000'000U;
  static constexpr std::uint32_t stuck_ticks = 250 / tick_ms;
  static constexpr std::uint32_t quiet_ticks = 200 / tick_ms;
  static constexpr std::uint32_t retry_ticks_max = 1000 / tick_ms;
  // Two CQEs each, which the queue has room for beside the traffic; 32768 take 3.2 s.
  static constexpr unsigned renewals_per_tick = 256;
  static constexpr unsigned closed_max = 10'000;  // sockets kept: 40 MB

  struct Accept {
    explicit Accept(Worker& owner) noexcept : worker(owner) {}
    void on_accept(Cqe cqe) noexcept { worker.on_one_accept(cqe); }
    Worker& worker;
    Bind<AcceptMultishot, &Accept::on_accept> accept{*this};
  };

  static RingOptions ring_options(const WorkerOptions& options) noexcept {
    RingOptions ring = RingPreset::server(options.buffer_count, options.accepts_max);
    ring.sqpoll = options.sqpoll;
    ring.disabled = options.disabled_ring;
    return ring;
  }

  ZeroCopyMode zero_copy_mode() const noexcept {
    if (options_.zero_copy == ZeroCopyMode::always && features_.has(Feature::send_zero_copy)) {
      return ZeroCopyMode::always;
    }
    const bool can_judge = features_.has(Feature::send_zero_copy) &&
                           features_.has(Feature::zero_copy_report) && !options_.peers_on_loopback;
    return options_.zero_copy == ZeroCopyMode::automatic && can_judge ? ZeroCopyMode::automatic
                                                                      : ZeroCopyMode::never;
  }

  // The same memory twice: provided for receiving, registered for zero-copy sending, so that a send
  // pins nothing. Not with huge pages: a send from a registered one is charged to the socket as if
  // it began at the huge page's first byte, up to 2 MiB for 16 KiB, and the send buffer is full
  // after a few (seen on 6.18: 6 MB charged for 54 KB).
  void register_arena() noexcept {
    if (zero_copy_mode() == ZeroCopyMode::never || arena_.pages() != HugeArena::Pages::plain)
      return;
    const std::span<std::byte> memory = arena_.memory();
    const iovec whole{memory.data(), memory.size()};
    fixed_buffers_error_ = -io_uring_register_buffers(ring_.raw(), &whole, 1);
    fixed_buffers_ = fixed_buffers_error_ == 0;
  }

  Client* pop_ready() noexcept {
    Client* client = ready_head_;
    if (client == nullptr) return nullptr;
    ready_head_ = client->ready_next;
    if (ready_head_ == nullptr) ready_tail_ = nullptr;
    client->ready = false;
    return client;
  }

  // First come, first served, and never more receives than there are buffers. Who has unread data
  // gets a whole buffer, as long as that leaves the reserve; everybody else gets a bite of one: so
  // little that its answer fits into any socket that poll calls writable, so that the buffer is
  // home after a turn whatever the peer does. The reserve is for bites alone: those who do not read
  // may hold all other buffers, and whoever waits goes on in bites.
  //
  // One that is granted a bite may have no data: then the next in line has its turn at once, so
  // nobody waits behind the idle.
  void grant_buffers() noexcept {
    more_to_grant_ = false;
    if (waiting_.empty()) return;
    const unsigned free = buffers_.free();
    unsigned whole = note_whole_buffers();
    const std::uint32_t now = tick();
    for (unsigned grants = free; !waiting_.empty(); --grants) {
      Client& client = *waiting_.front();
      const bool takes_whole = client.unread() && whole > 0;
      // A whole one may be home in a turn. If not, it goes on in bites.
      const std::uint32_t since = std::min(whole_tick_, client.receiving_since());
      if (client.unread() && !takes_whole && now - since < bites_ticks) return;
      if (grants == 0) {
        more_to_grant_ = free > 0;
        return;
      }
      if (takes_whole) --whole;
      waiting_.remove(client);
      client.receive_granted(takes_whole ? 0 : std::min(bite, buffers_.size()));
    }
  }

  unsigned note_whole_buffers() noexcept {
    const unsigned reserved = buffers_.size() > bite ? reserve_ : 0;
    if (buffers_.free() <= reserved) return 0;
    whole_tick_ = tick();
    return buffers_.free() - reserved;
  }

  // --- accepting ---

  // Connections that may still be taken: slots, and objects for them.
  unsigned room() const noexcept {
    const unsigned slots = table_.size() > slots_used_ ? table_.size() - slots_used_ : 0;
    const unsigned free = std::min(slots, connections_.free());
    return free > accepts_armed_ ? free - accepts_armed_ : 0;
  }

  // A multishot accept does not stop at a full table: the kernel takes a client from the backlog
  // and drops it. And it does not stop at what waited when it began: while it takes a full backlog,
  // more come. What stops it in any case is a full completion queue. So it runs only while a whole
  // one fits, and one-shot accepts do the rest.
  void steer_accepting() noexcept {
    const unsigned most_at_once = ring_.raw()->cq.ring_entries + accepts_max;
    if (accept_multishot_.armed()) {
      if (room() <= most_at_once) cancel_accept();
      return;
    }
    if (accepts_armed_ == accepts_max || cancel_accept_.armed()) return;
    if (tick() < accept_retry_tick_) return;
    if (room() > most_at_once) {
      accept_multishot_.start(ring_, listener_fd_);
      return;
    }
    for (Accept& one : accepts_) {
      if (room() == 0) return;
      if (one.accept.armed()) continue;
      one.accept.start_once(ring_, listener_fd_);
      ++accepts_armed_;
    }
  }

  void cancel_accept() noexcept {
    if (!cancel_accept_.armed()) cancel_accept_.start(ring_, accept_multishot_);
  }

  void on_one_accept(Cqe cqe) noexcept {
    --accepts_armed_;
    on_accept(cqe);
  }

  void on_accept(Cqe cqe) noexcept {
    if (cqe.res < 0) {
      if (!draining_) on_accept_failed(cqe.res);
      return;
    }
    accept_retry_wait_ = 1;
    Client* client = connections_.create(*this, static_cast<FileSlot>(cqe.res));
    if (client == nullptr) {
      // Only after an accept that took more than the backlog could hold while connections that
      // closed long ago still await notifications.
      stats_[Stat::accept_errors].add(1);
      prepare_close(static_cast<FileSlot>(cqe.res));
      io_uring_sqe* sqe = ring_.sqe();
      io_uring_prep_close_direct(sqe, static_cast<unsigned>(cqe.res));
      ring_.submit_unowned(sqe);
      return;
    }
    ++slots_used_;
    stats_[Stat::accepted].add(1);
    by_age_.push_back(*client);
    client->opened();
  }

  // Any error ends a multishot accept. What belongs to one client is tried again at once, what is a
  // shortage with a growing pause.
  void on_accept_failed(int res) noexcept {
    switch (-res) {
      case ECANCELED:
        return;
      case EINVAL:  // the supervisor has shut the listener down: its word to drain is on the way
        accept_retry_tick_ = tick() + retry_ticks_max;
        return;
      case ECONNABORTED:
      case EPROTO:
      case EINTR:
      case EAGAIN:
      case EPERM:
      case ENETDOWN:
      case ENETUNREACH:
      case EHOSTDOWN:
      case EHOSTUNREACH:
      case ETIMEDOUT:
        stats_[Stat::accept_errors].add(1);
        return;
      default:
        break;
    }
    stats_[Stat::accept_errors].add(1);
    accept_retry_tick_ = tick() + accept_retry_wait_;
    accept_retry_wait_ = std::min(2 * accept_retry_wait_, retry_ticks_max);
  }

  void on_cancel_accept(Cqe) noexcept {}

  void cancel_unheard(const Completion& target) noexcept {
    io_uring_sqe* sqe = ring_.sqe();
    io_uring_prep_cancel64(sqe, reinterpret_cast<std::uintptr_t>(&target), 0);
    ring_.submit_unowned(sqe);
  }

  // --- time ---

  void start_tick() noexcept {
    if (features_.has(Feature::timer_multishot)) {
      timer_.start_multishot(ring_, tick_ns);
    } else {
      timer_.start(ring_, tick_ns);
    }
  }

  void on_tick(Cqe cqe) noexcept {
    if (!cqe.more() && !ending_) start_tick();
    publish();
    note_whole_buffers();
    close_idle();
    shed_stuck();
    if (!slot_releases()) renew_receives();
  }

  void publish() noexcept {
    stats_.heartbeat.add(1);
    const RingCounters& counters = ring_.counters();
    stats_[Stat::enters].set(counters.enters);
    stats_[Stat::completions].set(counters.completions);
    stats_[Stat::cq_overflows].set(counters.overflows);
    stats_[Stat::ring_errors].set(counters.unowned_errors + shutdown_errors_);
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    stats_[Stat::cpu_ns].set(static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
                             static_cast<std::uint64_t>(time.tv_nsec));
  }

  // The list is ordered by last activity, so the look ends at the first that is young enough. Those
  // that are closing already stand among them and are passed over.
  void close_idle() noexcept {
    if (options_.idle_timeout_ms == 0) return;
    const std::uint32_t limit = std::max(options_.idle_timeout_ms / tick_ms, 1U);
    for (Client* client = by_age_.front(); client != nullptr; client = by_age_.next(*client)) {
      if (tick() - client->last_activity() < limit) return;
      if (client->aborting() || (client->quiet() && !client->open())) continue;
      stats_[Stat::idle_closed].add(1);
      if (client->quiet()) {
        client->finish();
      } else {
        client->reset();
      }
    }
  }

  // The guarantee: whoever waits for a buffer does not wait longer because others do not read. The
  // reserve keeps it in most cases; but idle connections have multishot receives in flight, and
  // when their data comes at once, nothing is left. While buffers are enough, nobody is reset.
  void shed_stuck() noexcept {
    if (waiting_.empty() || buffers_.free() > 0) return;
    if (tick() - waiting_.front()->receiving_since() < stuck_ticks) return;
    unsigned wanted = std::min(waiting_.size(), reserve_);
    std::array<Client*, shed_per_tick_max> stuck;
    for (Client* client : longest_stuck(stuck)) {
      if (wanted == 0) return;
      wanted -= std::min(wanted, std::max(client->held(), 1U));
      client->reset();
      stats_[Stat::shed].add(1);
    }
  }

  // In one pass, the longest first.
  std::span<Client*> longest_stuck(std::span<Client*> found) noexcept {
    const auto longer = [](const Client* one, const Client* other) {
      return one->stuck_since() < other->stuck_since();
    };
    const auto begin = found.begin();
    auto end = begin;
    for (Client* client = by_age_.front(); client != nullptr; client = by_age_.next(*client)) {
      if (!client->stuck() || tick() - client->stuck_since() < stuck_ticks) continue;
      if (end == found.end()) {
        if (!longer(client, *begin)) continue;
        std::pop_heap(begin, end--, longer);
      }
      *end++ = client;
      std::push_heap(begin, end, longer);
    }
    std::sort_heap(begin, end, longer);
    return found.first(static_cast<std::size_t>(end - begin));
  }

  // Before Linux 6.13 the kernel lets the files of closed slots go in the order of the requests on
  // the table: an idle connection's receive, armed for hours, would keep every socket that was
  // closed in these hours, 4 KB each. So once in receive_renewal_ms, or after closed_max closes,
  // all that are in flight are ended and begun again, oldest first. A send that its peer does not
  // take keeps sockets too, until the idle timeout or TCP_USER_TIMEOUT ends it.
  void renew_receives() noexcept {
    Client* client = receiving_.front();
    for (unsigned left = renewals_per_tick; client != nullptr && left > 0; --left) {
      if (client->receiving_since() > renewal_tick_) break;
      client->renew_receive();
      client = receiving_.next(*client);
    }
    const bool is_time = tick() - renewal_tick_ >= options_.receive_renewal_ms / tick_ms;
    if (closed_since_renewal_ < (is_time ? 1 : closed_max)) return;
    renewal_tick_ = tick();
    closed_since_renewal_ = 0;
  }

  // A peer that has reset its connection leaves nothing to shut down.
  void on_shutdown(Cqe cqe) noexcept {
    if (cqe.res < 0 && cqe.res != -ENOTCONN) ++shutdown_errors_;
  }

  // --- stopping ---

  void on_control(Cqe cqe) noexcept {
    if (cqe.res == 1 && read_control_.command() == command_stop) {
      stop();
      return;
    }
    drain();  // the command, or the supervisor is gone
    if (cqe.res == 1) read_control_.start(ring_, control_fd_);
  }

  // How long the connections had since the deadline is counted in our own looks: a process that did
  // not run for a second has given them no turn in which they could close.
  void steer_draining() noexcept {
    const std::uint32_t drained = tick() - drain_tick_;
    const std::uint32_t deadline = options_.drain_deadline_ms / tick_ms;
    if (drain_looked_tick_ != tick()) {
      drain_looked_tick_ = tick();
      if (drained >= deadline) ++looks_past_deadline_;
      for (Client* client = by_age_.front(); client != nullptr; client = by_age_.next(*client)) {
        if (drained >= deadline && !client->aborting()) {
          stats_[Stat::drain_resets].add(1);
          client->reset();
        }
        if (client->open() && client->still_rests() &&
            tick() - client->last_activity() >= quiet_ticks) {
          client->finish();
        }
      }
    }
    const bool late = looks_past_deadline_ > 1000 / tick_ms;
    if (by_age_.empty() || late) stop_ring(late);
  }

  // The connections are gone, or will not go: end what is left of our own. A cancel can miss what
  // is just going on, so it is repeated until nothing is armed.
  void stop_ring(bool late) noexcept {
    ending_ = true;
    if (ring_.armed_count() == 0 || late) {
      publish();
      stopped_ = true;
    } else if (!cancel_all_.armed()) {
      cancel_all_.start_all(ring_);
    }
  }

  void on_cancel_all(Cqe) noexcept {}

  const WorkerOptions options_;
  const Features& features_;
  WorkerStats& stats_;
  Ring ring_;
  FileTable table_;
  HugeArena arena_;
  BufferRing buffers_;
  LeasePool lease_pool_;
  SlabPool<GatherList> gather_lists_;
  SlabPool<ZeroCopySend<Protocol>> zero_copy_sends_;
  SlabPool<Client> connections_;
  ZeroCopyPolicy zero_copy_;

  int listener_fd_ = -1;
  int control_fd_ = -1;
  unsigned backlog_ = 0;
  unsigned reserve_;
  unsigned share_;                  ///< buffers that one multishot receive may take at once
  unsigned granted_this_turn_ = 0;  ///< buffers that receives begun in this turn may take
  bool fixed_buffers_ = false;
  int fixed_buffers_error_ = 0;

  IntrusiveList<Client, &Client::age_link> by_age_;  ///< every connection, oldest activity first
  IntrusiveList<Client, &Client::receiving_link> waiting_;  ///< for a buffer, in this order
  /// With a receive in flight, the oldest first; empty where receives need not be renewed.
  IntrusiveList<Client, &Client::receiving_link> receiving_;
  Client* ready_head_ = nullptr;
  Client* ready_tail_ = nullptr;
  bool more_to_grant_ =
      false;  ///< True when a turn must not wait: somebody's turn may come at once
  std::uint32_t whole_tick_ = 0;  ///< the last in which more than the reserve was seen free
  bool draining_ = false;
  bool ending_ = false;  ///< True once the connections are gone and the ring is emptied
  bool stopped_ = false;
  unsigned slots_used_ = 0;
  unsigned accepts_armed_ = 0;
  std::uint32_t drain_tick_ = 0;
  std::uint32_t drain_looked_tick_ = 0;
  std::uint32_t looks_past_deadline_ = 0;
  std::uint32_t accept_retry_tick_ = 0;
  std::uint32_t accept_retry_wait_ = 1;
  std::uint32_t renewal_tick_ = 0;  ///< receives that began until then are due for renewal
  unsigned closed_since_renewal_ = 0;
  std::uint64_t shutdown_errors_ = 0;
  std::uint64_t start_ns_ = 0;

  Bind<AcceptMultishot, &Worker::on_accept> accept_multishot_{*this};
  template <std::size_t... Index>
  static std::array<Accept, accepts_max> make_accepts(Worker& worker,
                                                      std::index_sequence<Index...>) {
    return {((void)Index, Accept(worker))...};
  }
  std::array<Accept, accepts_max> accepts_ =
      make_accepts(*this, std::make_index_sequence<accepts_max>{});
  Bind<Cancel, &Worker::on_cancel_accept> cancel_accept_{*this};
  Bind<ShutdownSlot, &Worker::on_shutdown> shutdown_{*this};
  Bind<Timer, &Worker::on_tick> timer_{*this};
  Bind<ReadControl, &Worker::on_control> read_control_{*this};
  Bind<Cancel, &Worker::on_cancel_all> cancel_all_{*this};
};

}  // namespace lab
