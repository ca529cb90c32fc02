// What is known of an answer under way: when it began, how many bytes it has. Counted when it ends.
#pragma once

#include <cstdint>

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
    shared_.counters().answers(answer.status).add(1);
    if (const Status refusal = reader.refusal(); refusal != Status::none)
      shared_.counters().refusals(reader.displaced() ? Refusal::crowded : why(refusal)).add(1);
    body_bytes_ = body_size(answer);
  }
  /// Its last byte was given to be sent.
  void done() noexcept {
    shared_.counters().body_bytes().add(body_bytes_);
    shared_.counters().answer_times().record(shared_.options().now_ns() - began_ns_);
    began_ns_ = 0;
  }
  /// The connection is lost. Nothing, if no answer is under way.
  /// @param left bytes of the body that were not given to be sent; 0: nothing of it was begun
  void cut(std::uint64_t left) noexcept {
    if (began_ns_ == 0) return;
    shared_.counters().answers_cut().add(1);
    if (left > 0) shared_.counters().body_bytes().add(body_bytes_ - left);
    began_ns_ = 0;
  }

 private:
  Shared& shared_;
  std::uint64_t began_ns_ = 0;    ///< of the answer that is being made or sent; 0: none is
  std::uint64_t body_bytes_ = 0;  ///< of that answer
};

}  // namespace lab
