#include "06-server/lib/protocol/http/body_reader.hpp"

#include <algorithm>

#include "06-server/lib/protocol/http/http_text.hpp"

namespace lab {

void BodyReader::begin_length(std::uint64_t length) noexcept {
  *this = {};
  left_ = length;
  state_ = State::length_data;
}

void BodyReader::begin_chunked(std::uint64_t bytes_max) noexcept {
  *this = {};
  bytes_left_ = bytes_max;
  state_ = State::size_first;
}

std::size_t BodyReader::read(std::string_view bytes) noexcept {
  std::size_t used = 0;
  while (reading() && used < bytes.size()) {
    if (state_ == State::length_data || state_ == State::data) {
      const std::uint64_t count = std::min<std::uint64_t>(left_, bytes.size() - used);
      left_ -= count;
      used += count;
      if (left_ == 0) state_ = state_ == State::data ? State::data_cr : State::none;
    } else {
      state_ = after(bytes[used]);
      ++used;
    }
  }
  return used;
}

BodyReader::State BodyReader::refuse(Status status) noexcept {
  refusal_ = status;
  return State::refused;
}

BodyReader::State BodyReader::after(char c) noexcept {
  const auto expect = [&](bool good, State next) {
    return good ? next : refuse(Status::bad_request);
  };
  // What is no data and no size is counted: a peer could send extensions forever.
  if (state_ >= State::extension_semicolon && state_ != State::size_lf &&
      state_ != State::data_cr && state_ != State::data_lf && ++framing_bytes_ > framing_bytes_max)
    return refuse(Status::bad_request);

  switch (state_) {
    case State::size:
      if (c == '\r') return State::size_lf;
      if (c == ';') return State::extension_name_first;
      if (is_blank(c)) return State::extension_semicolon;
      [[fallthrough]];
    case State::size_first:
      return after_size_digit(hex_value(c));
    case State::extension_semicolon:
      if (is_blank(c)) return state_;
      return expect(c == ';', State::extension_name_first);
    case State::extension_name_first:
      if (is_blank(c)) return state_;
      return expect(is_token_character(c), State::extension_name);
    case State::extension_name:
      if (is_token_character(c)) return state_;
      [[fallthrough]];
    case State::extension_equals:
      if (c == '=') return State::extension_value_first;
      if (is_blank(c)) return State::extension_equals;
      if (c == '\r' && state_ == State::extension_name) return State::size_lf;
      return expect(c == ';', State::extension_name_first);
    case State::extension_value_first:
      if (is_blank(c)) return state_;
      if (c == '"') return State::extension_quoted;
      return expect(is_token_character(c), State::extension_value);
    case State::extension_value:
      if (is_token_character(c)) return state_;
      [[fallthrough]];
    case State::extension_value_end:
      if (c == '\r') return State::size_lf;
      if (is_blank(c)) return State::extension_semicolon;
      return expect(c == ';', State::extension_name_first);
    case State::extension_quoted:
      if (c == '"') return State::extension_value_end;
      if (c == '\\') return State::extension_escaped;
      return expect(is_value_character(c), state_);
    case State::extension_escaped:
      return expect(is_value_character(c), State::extension_quoted);
    case State::size_lf:
      return c == '\n' ? after_size_line() : refuse(Status::bad_request);
    case State::data_cr:
      return expect(c == '\r', State::data_lf);
    case State::data_lf:
      size_digits_ = 0;
      return expect(c == '\n', State::size_first);
    case State::trailer_first:
      if (c == '\r') return State::last_lf;
      return expect(is_token_character(c), State::trailer_name);
    case State::trailer_name:
      if (is_token_character(c)) return state_;
      return expect(c == ':', State::trailer_value);
    case State::trailer_value:
      if (c == '\r') return State::trailer_lf;
      return expect(is_value_character(c), state_);
    case State::trailer_lf:
      return expect(c == '\n', State::trailer_first);
    case State::last_lf:
      return expect(c == '\n', State::none);
    case State::none:
    case State::refused:
    case State::length_data:
    case State::data:
      break;
  }
  return refuse(Status::bad_request);
}

BodyReader::State BodyReader::after_size_digit(int digit) noexcept {
  constexpr unsigned digits_max = 16;  // that many fit into 64 bits
  if (digit < 0 || ++size_digits_ > digits_max) return refuse(Status::bad_request);
  left_ = left_ * 16 + static_cast<unsigned>(digit);
  return State::size;
}

BodyReader::State BodyReader::after_size_line() noexcept {
  if (left_ == 0) return State::trailer_first;
  if (left_ > bytes_left_) return refuse(Status::content_too_large);
  bytes_left_ -= left_;
  return State::data;
}

}  // namespace lab
