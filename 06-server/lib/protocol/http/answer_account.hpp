// What is known of an answer under way: when it began, how many bytes it has. Counted when it ends,
// and a line for the access log.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "06-server/lib/limits/client_address.hpp"
#include "06-server/lib/protocol/http/access_log.hpp"
#include "06-server/lib/protocol/http/answer.hpp"
#include "06-server/lib/protocol/http/answer_head.hpp"
#include "06-server/lib/protocol/http/http_counters.hpp"
#include "06-server/lib/protocol/http/request_reader.hpp"

namespace lab {

/// One connection's. An answer begins with begin() and ends with done() or cut(), once.
/// @tparam Shared what http_shared.hpp has
template <class Shared>
class AnswerAccount {
 public:
  explicit AnswerAccount(Shared& shared) noexcept : shared_(shared) {}

  /// A request is whole. Again for one whose answer could not be begun: its time goes on.
  /// @return whether it is new
  bool begin() noexcept {
    if (began_ns_ != 0) return false;
    began_ns_ = shared_.options().now_ns();
    return true;
  }
  /// The answer's head was written.
  void decided(const Answer& answer, const RequestReader& reader) noexcept {
    status_ = answer.status;
    shared_.counters().answers(answer.status).add(1);
    if (const Status refusal = reader.refusal(); refusal != Status::none)
      shared_.counters().refusals(reader.displaced() ? Refusal::crowded : why(refusal)).add(1);
    body_bytes_ = body_size(answer);
  }
  /// The same for the log. @param head of the request, as far as it has come
  void log(const ClientAddress& peer, std::string_view head) noexcept {
    line_ = shared_.log()->begin(peer, head);
  }
  /// Its last byte was given to be sent.
  void done() noexcept {
    const std::uint64_t duration_ns = shared_.options().now_ns() - began_ns_;
    shared_.counters().body_bytes().add(body_bytes_);
    shared_.counters().answer_times().record(duration_ns);
    end_line(duration_ns, 0);
  }
  /// The connection is lost. Nothing, if no answer is under way.
  /// @param left bytes of the body that were not given to be sent; 0: nothing of it was begun
  void cut(std::uint64_t left) noexcept {
    if (began_ns_ == 0) return;
    shared_.counters().answers_cut().add(1);
    if (left > 0) shared_.counters().body_bytes().add(body_bytes_ - left);
    end_line(line_ == nullptr ? 0 : shared_.options().now_ns() - began_ns_, left);
  }

 private:
  void end_line(std::uint64_t duration_ns, std::uint64_t left) noexcept {
    began_ns_ = 0;
    if (line_ == nullptr) return;
    shared_.log()->end(std::exchange(line_, nullptr),
                       {.status = status_,
                        .body_bytes = body_bytes_ - left,
                        .duration_ns = duration_ns,
                        .cut = left > 0},
                       shared_.options().now_s());
  }

  Shared& shared_;
  std::uint64_t began_ns_ = 0;    ///< of the answer that is being made or sent; 0: none is
  std::uint64_t body_bytes_ = 0;  ///< of that answer
  AccessLine* line_ = nullptr;    ///< of that answer, where there is a log
  Status status_ = Status::none;
};

}  // namespace lab
