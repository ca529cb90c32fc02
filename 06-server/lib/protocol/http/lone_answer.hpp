// An answer that no request asked for: to a peer that is turned away before it can ask.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "06-server/lib/protocol/http/access_log.hpp"
#include "06-server/lib/protocol/http/answer.hpp"
#include "06-server/lib/protocol/http/answer_head.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

/// Sends an answer that says close; nothing, if no buffer is there that can hold it. Nobody
/// will try again: the peer is worth one try.
/// @param shared what http_shared.hpp has
void send_lone_answer(auto& io, auto& shared, const Answer& answer) noexcept {
  PooledBuffer buffer = io.take_buffer();
  const OperatorFields fields{.generated = shared.site().common_fields(), .options = {}};
  if (!buffer || buffer.space().size() < answer_head_bound(answer, fields)) return;
  const std::size_t size = write_answer_head(
      buffer.space(), answer, shared.date().at(shared.options().now_s()), After::close, fields);
  shared.counters().answers(answer.status).add(1);
  if (AccessLog* const log = shared.log(); log != nullptr) {
    log->end(log->begin(io.peer(), {}), {.status = answer.status, .body_bytes = body_size(answer)},
             shared.options().now_s());
  }
  io.send(std::move(buffer).filled(static_cast<std::uint32_t>(size)));
}

}  // namespace lab
