// A protocol inside of TLS: below it is a protocol, above it is an engine, and neither knows of it.
//
// What is received is decrypted into a buffer of PlainBuffers and handed on, record by record. What
// the inner protocol sends is encrypted at once into pooled buffers, and those of a hook are few:
// an engine sends them together. Three rules keep it from waiting for itself:
// 1. It holds no pooled buffer from one hook to the next. While it waits for one no file is read,
//    and a piece that comes nevertheless is taken at once.
// 2. Nothing is decrypted while something waits to be sent: the peer is made to wait instead.
// 3. Bytes that the inner protocol gives back stay inside of OpenSSL, in the record they came in.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "06-server/lib/protocol/deadlines.hpp"
#include "06-server/lib/protocol/protocol.hpp"
#include "06-server/lib/protocol/tls/tls_drain.hpp"
#include "06-server/lib/protocol/tls/tls_io.hpp"
#include "06-server/lib/protocol/tls/tls_receiver.hpp"
#include "06-server/lib/protocol/tls/tls_sender.hpp"
#include "06-server/lib/protocol/tls/tls_session.hpp"
#include "06-server/lib/protocol/tls/tls_shared.hpp"

namespace lab {

/// Inner: a Protocol. It gets on_open() when the handshake is done, and on_end() for the peer's
/// close_notify, or for a FIN without one, which is counted. If it has on_plain_text(io), it may
/// say so to a client that does not speak TLS; nothing follows. Otherwise that one is closed.
template <class Inner>
class Tls {
 public:
  /// What its connections have in common, with the inner protocol's own.
  using Shared = TlsSharedWith<Inner>;
  static constexpr bool uses_buffers = true;  ///< records are written into pooled ones

  explicit Tls(Shared& shared) noexcept
      : shared_(shared.tls), inner_(shared.inner), receiver_(shared.tls) {}
  ~Tls() { shared_.handshakes.leave(handshake_); }
  Tls(const Tls&) = delete;
  Tls& operator=(const Tls&) = delete;

  void on_open(auto& io) noexcept {
    deadline_ = deadline_after(io, shared_.context->options().handshake_ms);
  }

  void on_bytes(auto& io, Segment bytes) noexcept {
    drain_.note_bytes(io);
    if (phase_ == Phase::fresh && !begin(io, bytes)) return;
    if (phase_ == Phase::handshake && !shared_.handshakes.take_step(handshake_, io.waker())) {
      io.unread(std::move(bytes));
      return;
    }
    run(io, bytes, [](auto&) {});
    if (phase_ == Phase::ended || receiver_.closed() || bytes.empty()) return;
    io.unread(std::move(bytes));
  }

  void on_file(auto& io, Segment bytes) noexcept {
    run(io, [&](auto& above) {
      above.bring_piece();
      inner_.on_file(above, std::move(bytes));
    });
  }

  void on_turn(auto& io) noexcept {
    if (begins() && is_over(io, deadline_)) {
      shared_.counters.failed(TlsFailure::late).add(1);
      return end_with(io, Finish::close);
    }
    run(io, [&](auto& above) { inner_.on_turn(above); });
    if (phase_ != Phase::ended && takes_bytes(io)) io.receive(Receive::on);
  }

  void on_end(auto& io) noexcept {
    if (begins()) {
      note_cut();
      return end_with(io, Finish::close);
    }
    peer_finished_ = true;
    run(io, [](auto&) {});
  }

  void on_drain(auto& io) noexcept {
    drain_.begin(io);
    run(io, [&](auto& above) { inner_.on_drain(above); });
  }

  void on_wind_up(auto& io) noexcept {
    run(io, [&](auto& above) { wind_up(above); });
  }

  void on_abort() noexcept {
    if (phase_ == Phase::open) inner_.on_abort();
    note_cut();
    close_up();
  }

  /// In a drain an open connection is never idle: it ends itself, with a close_notify.
  bool idle() const noexcept {
    if (phase_ != Phase::open) return phase_ == Phase::fresh || phase_ == Phase::ended;
    return !drain_.begun() && rests();
  }
  /// The inner protocol's: TLS itself has nothing in flight.
  bool at_rest() const noexcept { return inner_.at_rest(); }
  /// What it is given is decrypted at once.
  std::uint32_t leases() const noexcept { return 0; }
  /// The inner protocol's: see rule 1.
  std::uint32_t buffers() const noexcept { return inner_.buffers(); }
  /// Of the handshake, then the inner protocol's or the drain's, whichever is earlier.
  std::uint32_t deadline() const noexcept {
    if (begins()) return deadline_;
    if (phase_ != Phase::open) return no_deadline;
    return drain_.or_sooner(inner_.deadline());
  }

 private:
  template <class Outer, class Lower>
  friend class TlsIo;
  using Step = TlsSession::Step;
  enum class Phase : std::uint8_t {
    fresh,  ///< nothing of the client's was looked at
    handshake,
    open,    ///< exactly while the inner protocol is told things
    ending,  ///< close_notify or an alert is written: finish() follows when it is sent
    ended
  };

  bool begins() const noexcept { return phase_ == Phase::fresh || phase_ == Phase::handshake; }
  bool blocked() const noexcept { return session_.bio().blocked(); }
  void note_cut() noexcept {
    if (phase_ == Phase::handshake) shared_.counters.failed(TlsFailure::cut).add(1);
  }
  // All that the inner protocol sent is the engine's.
  bool passed_on() const noexcept { return sender_.empty() && !blocked(); }
  bool rests() const noexcept { return inner_.idle() && passed_on() && receiver_.empty(); }
  bool takes_bytes(auto& io) const noexcept {
    if (phase_ == Phase::fresh) return handshake_.inside;
    if (phase_ == Phase::handshake) {
      return !blocked() && !shared_.handshakes.waits_for_step(handshake_);
    }
    return phase_ == Phase::open && (receiver_.closed() || reads_on(io));
  }
  bool reads_on(auto& io) const noexcept {
    return phase_ == Phase::open && receiver_.wanted() && !finishes_ && !blocked() &&
           sender_.empty() && io.room() > 0;
  }

  bool begin(auto& io, Segment& bytes) noexcept {
    if (TlsSession::is_text(bytes.bytes().front())) {
      shared_.counters.failed(TlsFailure::plain_text).add(1);
      if constexpr (requires { inner_.on_plain_text(io); }) inner_.on_plain_text(io);
      end_with(io, Finish::linger);
      return false;
    }
    if (!shared_.handshakes.enter(handshake_, io.waker())) {
      shared_.counters.waited().add(1);
      io.unread(std::move(bytes));
      return false;
    }
    context_ = shared_.context;
    if (!session_.begin(context_->first())) {
      io.reset();
      return false;
    }
    phase_ = Phase::handshake;
    return true;
  }

  // One hook: what the inner protocol is told first, then whatever can go on; and what was written
  // meanwhile leaves together.
  template <class Lower>
  void run(Lower& io, Segment& input, const auto& tell) noexcept {
    {
      const TlsBio::Hook<Lower> hook(session_.bio(), io, input);
      TlsIo<Tls, Lower> above(*this, io);
      if (phase_ == Phase::open) sender_.send(io, session_);
      if (phase_ == Phase::open && !finishes_) tell(above);
      if (phase_ == Phase::handshake && !blocked()) shake_hands(above);
      if (phase_ == Phase::open) sender_.send(io, session_);
      read_on(io, above);
      tell_end(above);
      if (sender_.failed() && phase_ == Phase::open) fail();
      say_good_bye(io, above);
    }
    if (phase_ == Phase::ending && !blocked()) end_with(io, how_);
  }

  void run(auto& io, const auto& tell) noexcept {
    Segment none;
    run(io, none, tell);
  }

  void shake_hands(auto& above) noexcept {
    const Step step = session_.handshake();
    if (step == Step::more) return;
    shared_.handshakes.leave(handshake_);
    if (step != Step::done) {
      shared_.counters.failed(session_.failure()).add(1);
      how_ = Finish::linger;  // a reset could overtake the alert
      phase_ = Phase::ending;
      return;
    }
    shared_.counters.handshakes().add(1);
    if (session_.resumed()) shared_.counters.resumed().add(1);
    phase_ = Phase::open;
    inner_.on_open(above);
    if (drain_.begun() && phase_ == Phase::open && !finishes_) inner_.on_drain(above);
  }

  void read_on(auto& io, auto& above) noexcept {
    while (reads_on(io)) {
      Segment plain = receiver_.next(session_, io.waker());
      if (plain.empty()) break;
      inner_.on_bytes(above, std::move(plain));
      if (phase_ == Phase::open) receiver_.taken(session_);
    }
    receiver_.rest();
    if (receiver_.failed() && phase_ == Phase::open) fail();
  }

  void tell_end(auto& above) noexcept {
    const bool came = receiver_.closed() || peer_finished_;
    if (phase_ != Phase::open || finishes_ || end_told_ || !came || !receiver_.empty()) return;
    end_told_ = true;
    if (!receiver_.closed()) shared_.counters.truncated().add(1);
    inner_.on_end(above);
  }

  void fail() noexcept {
    shared_.counters.broken().add(1);
    inner_.on_abort();
    drop_plain();
    how_ = Finish::linger;
    phase_ = Phase::ending;
  }

  void say_good_bye(auto& io, auto& above) noexcept {
    if (phase_ != Phase::open) return;
    if (!finishes_ && rests() && drain_.is_due(io)) wind_up(above);
    if (!finishes_ || !sender_.empty() || blocked()) return;
    session_.close_notify();
    phase_ = Phase::ending;
  }

  void wind_up(auto& above) noexcept {
    inner_.on_wind_up(above);
    finish_plain(Finish::close);
  }
  void end_with(auto& io, Finish how) noexcept {
    close_up();
    io.finish(how);
  }
  void close_up() noexcept {
    phase_ = Phase::ended;
    shared_.handshakes.leave(handshake_);
    drop_plain();
    session_.end();
    context_.reset();
  }
  void drop_plain() noexcept {
    receiver_.clear();
    sender_.clear();
  }

  // --- what the inner protocol's Io does ---

  void send_plain(auto& io, Segment bytes) noexcept {
    if (bytes.empty() || phase_ != Phase::open || sender_.failed()) return;
    sender_.push(io, session_, std::move(bytes));
  }
  std::uint32_t room_above(auto& io) const noexcept { return passed_on() ? io.room() : 0; }
  bool all_sent_above(auto& io) const noexcept { return passed_on() && io.all_sent(); }
  void receive_plain(Receive what) noexcept { receiver_.want(what == Receive::on); }
  void unread_plain(Segment bytes) noexcept { receiver_.unread(std::move(bytes)); }
  void finish_plain(Finish how) noexcept {
    if (!finishes_ || how == Finish::linger) how_ = how;
    finishes_ = true;
  }

  TlsShared& shared_;
  std::shared_ptr<const TlsContext> context_;  ///< of its session
  TlsSession session_;
  Inner inner_;
  Handshakes::Place handshake_;
  TlsSender sender_;
  TlsReceiver<Inner::uses_buffers> receiver_;
  std::uint32_t deadline_ = no_deadline;  ///< of the handshake
  TlsDrain drain_;
  Phase phase_ = Phase::fresh;
  Finish how_ = Finish::close;
  bool finishes_ = false;       ///< it wants to end: close_notify follows what is pending
  bool peer_finished_ = false;  ///< its FIN
  bool end_told_ = false;
};

}  // namespace lab
