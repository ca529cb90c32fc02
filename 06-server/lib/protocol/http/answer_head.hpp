// Writes the head of an answer, and the body of one that is generated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "06-server/lib/protocol/http/answer.hpp"

namespace lab {

/// What the connection does after an answer, and whether that has to be said.
enum class After : std::uint8_t {
  stay,      ///< HTTP/1.1: the rule, so nothing is said
  say_stay,  ///< HTTP/1.0: `Connection: keep-alive`
  close      ///< `Connection: close`
};

/// What an operator adds: ready lines, each with its CRLF.
struct OperatorFields {
  std::string_view generated;  ///< of answers that are generated: errors, redirects, OPTIONS
  std::string_view options;    ///< of answers to OPTIONS besides: Access-Control-Allow-...
};

/// At most so many bytes write_answer_head() writes.
std::size_t answer_head_bound(const Answer& answer, const OperatorFields& fields) noexcept;

/// Bytes of the body that follows the head, or stands behind it already.
std::uint64_t body_size(const Answer& answer) noexcept;

/// @param date an IMF-fixdate
/// @param space at least answer_head_bound() bytes
/// @return how many bytes were written
std::size_t write_answer_head(std::span<std::byte> space, const Answer& answer,
                              std::string_view date, After after,
                              const OperatorFields& fields) noexcept;

}  // namespace lab
