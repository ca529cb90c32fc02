// HTTP/1.1 and 1.0 for a site that does not change: GET, HEAD and OPTIONS.
//
// It reads a request to its end, body and all, decides the answer, writes the head, sends the body,
// and only then reads the next: so answers are in order. When nothing more can be sent, or no
// buffer is there, it gives back what it has not read and stays where it is; each hook goes on from
// there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "06-server/lib/limits/refused.hpp"
#include "06-server/lib/protocol/deadlines.hpp"
#include "06-server/lib/protocol/http/answer.hpp"
#include "06-server/lib/protocol/http/answer_account.hpp"
#include "06-server/lib/protocol/http/answer_head.hpp"
#include "06-server/lib/protocol/http/answer_sender.hpp"
#include "06-server/lib/protocol/http/http_shared.hpp"
#include "06-server/lib/protocol/http/lone_answer.hpp"
#include "06-server/lib/protocol/http/refusal_answer.hpp"
#include "06-server/lib/protocol/http/request_reader.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

/// @tparam Source a site, as site.hpp has it: find(decoded_path), what resource.hpp says; pin(), a
/// segment that keeps alive what was found; segment(bytes), of what is alive; common_fields() and
/// preflight_fields(), lines of the operator's for answers that are no file
template <class Source>
class HttpStatic {
 public:
  using Shared = HttpShared<Source>;          ///< of a worker's connections
  static constexpr bool uses_buffers = true;  ///< for heads, small bodies and pieces of files

  explicit HttpStatic(Shared& shared) noexcept
      : shared_(shared),
        reader_(shared.stores(), shared.options().limits),
        sender_(shared.site(), shared.options().copy_bytes_max),
        account_(shared) {}
  HttpStatic(const HttpStatic&) = delete;
  HttpStatic& operator=(const HttpStatic&) = delete;

  void on_open(auto& io) noexcept {
    const std::uint32_t age_ms = shared_.options().age_ms;
    if (age_ms > 0) old_at_ = deadline_after(io, age_ms);
  }
  /// What a client hears whose connection is not let in.
  static std::span<const std::byte> refusal(Refused why) noexcept {
    return std::as_bytes(std::span(refusal_answer(why)));
  }
  /// Below it there is TLS, which this client does not speak: told in place of all else.
  void on_plain_text(auto& io) noexcept {
    Answer answer = detail::plain_answer(Status::bad_request, Method::get);
    answer.reason = "This port speaks TLS. Cure: https:// in front of the address";
    send_lone_answer(io, shared_, answer);
  }
  void on_bytes(auto& io, Segment bytes) noexcept {
    lingers_ = lingers_ || closing_;
    if (closing_) return;
    input_ = std::move(bytes);
    run(io);
  }
  void on_file(auto& io, Segment bytes) noexcept;
  void on_turn(auto& io) noexcept { run(io); }
  void on_end(auto& io) noexcept {
    ended_ = true;
    run(io);
  }
  void on_drain(auto&) noexcept { draining_ = true; }
  void on_wind_up(auto&) noexcept {}
  void on_abort() noexcept { abandon(); }

  /// Between two requests, with all answered.
  bool idle() const noexcept { return !closing_ && !sender_.sending() && !reader_.begun(); }
  bool at_rest() const noexcept { return true; }       ///< what it reads is the engine's
  std::uint32_t leases() const noexcept { return 0; }  ///< a hook keeps none
  /// Pooled ones: a piece of a file that waits for room.
  std::uint32_t buffers() const noexcept { return sender_.buffers(); }
  /// Idle: of the connection's age; else of the request that has begun.
  std::uint32_t deadline() const noexcept { return idle() ? old_at_ : deadline_; }

 private:
  void run(auto& io) noexcept;
  bool step(auto& io) noexcept;
  bool wait_for_request(auto& io) noexcept;
  bool answer_request(auto& io) noexcept;
  OperatorFields operator_fields() const noexcept;
  Answer decide_answer(std::int64_t now_s) noexcept;
  After choose_after(auto& io, const Answer& answer) noexcept;
  void finish(auto& io) noexcept;
  void steer_receiving(auto& io) noexcept;
  void lose(auto& io) noexcept;
  void abandon() noexcept;

  Shared& shared_;
  Segment input_;  ///< empty between hooks
  RequestReader reader_;
  AnswerSender<Source> sender_;
  AnswerAccount<Shared> account_;

  std::uint32_t requests_ = 0;
  std::uint32_t deadline_ = no_deadline;  ///< of the request that has begun
  std::uint32_t old_at_ = no_deadline;    ///< from then on an answer is the last
  bool over_limit_ = false;               ///< the request that has come is one too many
  bool ended_ = false;                    ///< the peer sends no more
  bool draining_ = false;                 ///< the next answer is the last
  bool closing_ = false;   ///< the last answer was begun; nothing after it is looked at
  bool lingers_ = false;   ///< the peer may not know yet that it was the last
  bool finished_ = false;  ///< finish() or reset() was called
  bool paused_ = false;    ///< no bytes come until they are asked for
};

template <class Source>
void HttpStatic<Source>::run(auto& io) noexcept {
  if (finished_) return;
  while (step(io)) {
  }
  if (finished_) return;
  sender_.flush(io);
  if (closing_ && !sender_.sending()) return finish(io);
  steer_receiving(io);
}

/// @return whether there may be more to do at once
template <class Source>
bool HttpStatic<Source>::step(auto& io) noexcept {
  if (sender_.sending()) {
    const bool goes_on = sender_.send(io);
    if (!sender_.sending()) account_.done();
    return goes_on;
  }
  if (closing_ || finished_) return false;
  if (!reader_.read(input_, io.waker())) return wait_for_request(io);
  return answer_request(io);
}

template <class Source>
bool HttpStatic<Source>::wait_for_request(auto& io) noexcept {
  if (ended_) {
    closing_ = true;  // half a request gets no answer: nobody knows what it was
    return false;
  }
  if (!reader_.begun()) {
    deadline_ = no_deadline;
    // Requests that the engine keeps are answered first; one that is on its way gets no reset.
    closing_ = lingers_ = !paused_ && is_over(io, old_at_);
    return false;
  }
  if (deadline_ == no_deadline) deadline_ = deadline_after(io, shared_.options().request_ms);
  if (!is_over(io, deadline_)) return false;
  if (reader_.only_blank()) {
    closing_ = true;
    return false;
  }
  reader_.refuse(Status::request_timeout);
  return true;
}

template <class Source>
bool HttpStatic<Source>::answer_request(auto& io) noexcept {
  deadline_ = no_deadline;
  if (account_.begin()) over_limit_ = !io.admit_request();
  const std::int64_t now_s = shared_.options().now_s();
  const OperatorFields fields = operator_fields();
  Answer answer = decide_answer(now_s);
  if (!sender_.reserve(io, answer_head_bound(answer, fields))) return false;
  if (sender_.space().size() < answer_head_bound(answer, fields)) {
    // No buffer can hold it: the fields of this file or its redirect are too long.
    answer = detail::plain_answer(Status::internal_error, reader_.request().method());
    if (sender_.space().size() < answer_head_bound(answer, fields)) {
      lose(io);
      return false;
    }
  }
  const After after = choose_after(io, answer);
  sender_.wrote(
      write_answer_head(sender_.space(), answer, shared_.date().at(now_s), after, fields));
  account_.decided(answer, reader_);
  if (shared_.log() != nullptr) account_.log(io.peer(), reader_.head_so_far(input_));
  if (answer.variant != nullptr && answer.has_body && answer.size > 0)
    sender_.begin(*answer.variant, answer.offset, answer.size);
  if (!sender_.sending()) account_.done();
  reader_.next(input_);
  if (closing_) {
    lingers_ = lingers_ || !input_.empty();
    input_.reset();
  }
  return true;
}

template <class Source>
OperatorFields HttpStatic<Source>::operator_fields() const noexcept {
  return {.generated = shared_.site().common_fields(),
          .options = reader_.request().is_preflight() ? shared_.site().preflight_fields()
                                                      : std::string_view()};
}

template <class Source>
Answer HttpStatic<Source>::decide_answer(std::int64_t now_s) noexcept {
  const RequestHead& request = reader_.request();
  if (reader_.refusal() != Status::none)
    return detail::plain_answer(reader_.refusal(), request.method());
  if (over_limit_) return detail::plain_answer(Status::too_many_requests, request.method());
  return decide(request, reader_.head(input_), shared_.site(), now_s, shared_.path_space());
}

template <class Source>
After HttpStatic<Source>::choose_after(auto& io, const Answer& answer) noexcept {
  const RequestHead& request = reader_.request();
  const std::uint32_t requests_max = shared_.options().requests_max;
  const bool refused = reader_.refusal() != Status::none || reader_.body_withheld() ||
                       answer.status == Status::bad_request ||
                       answer.status == Status::internal_error;
  const bool enough = ++requests_ == requests_max || draining_ || is_over(io, old_at_);
  closing_ = refused || enough || !request.keep_alive();
  if (closing_) {
    // A client that said itself that it was the last sends no more; one that did not may be
    // sending, and a reset would take the answer from it.
    lingers_ = refused || enough;
    return After::close;
  }
  return request.is_http_1_0() ? After::say_stay : After::stay;
}

template <class Source>
void HttpStatic<Source>::on_file(auto& io, Segment bytes) noexcept {
  if (finished_) return;
  if (bytes.empty()) {
    // The file is shorter than it was: nothing could be sent in place of what is missing.
    shared_.counters().files_changed().add(1);
    return lose(io);
  }
  sender_.take_piece(std::move(bytes));
  run(io);
}

template <class Source>
void HttpStatic<Source>::finish(auto& io) noexcept {
  finished_ = true;
  deadline_ = no_deadline;
  input_.reset();
  io.finish(lingers_ && !ended_ ? Finish::linger : Finish::close);
}

/// While an answer waits, the requests behind it do: the engine keeps them, and brings them again.
template <class Source>
void HttpStatic<Source>::steer_receiving(auto& io) noexcept {
  if (!input_.empty()) {
    reader_.unread();
    io.unread(std::move(input_));
    paused_ = true;
    return;
  }
  input_.reset();  // read to its end, it is still a buffer
  if (paused_ && !sender_.sending() && io.room() > 0) {
    io.receive(Receive::on);
    paused_ = false;
  }
}

template <class Source>
void HttpStatic<Source>::lose(auto& io) noexcept {
  abandon();
  io.reset();
}

template <class Source>
void HttpStatic<Source>::abandon() noexcept {
  finished_ = true;
  deadline_ = no_deadline;
  input_.reset();
  account_.cut(sender_.left());
  sender_.abandon();
}

}  // namespace lab
