#include "06-server/lib/protocol/http/request_reader.hpp"

#include <algorithm>
#include <utility>

#include "01-core/lib/assert.hpp"
#include "06-server/lib/protocol/http/http_text.hpp"

namespace lab {
namespace {

std::string_view text_of(const Segment& segment) noexcept {
  return {reinterpret_cast<const char*>(segment.bytes().data()), segment.size()};
}

void drop(Segment& input, std::size_t count) noexcept {
  input.drop_front(static_cast<std::uint32_t>(count));
}

// What the beginning of a request line says already: the method is a token, and not endless.
Status judge_method(std::string_view line) noexcept {
  const std::string_view name = line.substr(0, line.find(' ')).substr(0, method_bytes_max + 1);
  if (!std::all_of(name.begin(), name.end(), is_token_character)) return Status::bad_request;
  return name.size() > method_bytes_max ? Status::not_implemented : Status::none;
}

}  // namespace

bool RequestReader::read(Segment& input, Waker waker) noexcept {
  if (store_.lost()) refuse(Status::request_timeout);
  if (refusal_ != Status::none) return true;
  if (!head_complete_) {
    if (!read_head(input, waker)) return false;
    if (refusal_ != Status::none) return true;
  }
  return !body_.reading() || read_body(input);
}

void RequestReader::next(Segment& input) noexcept {
  if (in_place()) drop(input, scanned_);
  forget();
}

void RequestReader::forget() noexcept {
  store_.release();
  request_ = {};
  body_ = {};
  stored_ = scanned_ = line_begin_ = 0;
  blank_lines_ = 0;
  head_complete_ = false;
  refusal_ = Status::none;
}

std::string_view RequestReader::head(const Segment& input) noexcept {
  LAB_ASSERT(head_complete_);
  return head_so_far(input);
}

std::string_view RequestReader::head_so_far(const Segment& input) noexcept {
  if (store_.held()) return {store_.space().data(), scanned_};
  return store_.lost() ? std::string_view() : text_of(input).substr(0, scanned_);
}

bool RequestReader::read_head(Segment& input, Waker waker) noexcept {
  while (!input.empty()) {
    if (store_.held()) {
      if (!continue_head(input)) continue;
    } else if (const std::string_view bytes = text_of(input); !scan(bytes)) {
      store_.take(waker);
      keep(bytes);
      input.reset();
      continue;
    }
    return refusal_ != Status::none || begin_body(input, waker);
  }
  return false;
}

// The head goes on in a new segment: of that, only its own bytes are used.
bool RequestReader::continue_head(Segment& input) noexcept {
  const std::string_view bytes = text_of(input);
  const std::uint32_t before = stored_;
  keep(bytes.substr(0, store_.space().size() - stored_));
  const bool done = scan({store_.space().data(), stored_});
  if (done) stored_ = std::max(before, scanned_);
  drop(input, stored_ - before);
  return done;
}

void RequestReader::keep(std::string_view bytes) noexcept {
  LAB_ASSERT(bytes.size() <= store_.space().size() - stored_);
  bytes.copy(store_.space().data() + stored_, bytes.size());
  stored_ += static_cast<std::uint32_t>(bytes.size());
}

// Goes on where it stopped. True: the head is complete, or refused.
bool RequestReader::scan(std::string_view bytes) noexcept {
  while (refusal_ == Status::none && !head_complete_) {
    const std::string_view seen = bytes.substr(0, window());
    const std::size_t end = seen.find('\n', scanned_);
    if (end != std::string_view::npos) {
      read_line(seen, end);
      continue;
    }
    judge_incomplete(seen, std::exchange(scanned_, static_cast<std::uint32_t>(seen.size())));
    if (refusal_ == Status::none && bytes.size() >= window())
      refuse(request_.has_request_line() ? Status::too_many_fields : Status::uri_too_long);
    break;
  }
  return refusal_ != Status::none || head_complete_;
}

void RequestReader::read_line(std::string_view bytes, std::size_t end) noexcept {
  std::string_view line = bytes.substr(line_begin_, end - line_begin_);
  const std::uint32_t begin = std::exchange(line_begin_, static_cast<std::uint32_t>(end + 1));
  scanned_ = line_begin_;
  if (!request_.has_request_line()) {
    if (line == "\r") {
      if (++blank_lines_ > blank_lines_max) refuse(Status::bad_request);
      return;
    }
    if (const Status status = judge_method(line); status != Status::none) return refuse(status);
  }
  if (!line.ends_with('\r')) return refuse(Status::bad_request);
  line.remove_suffix(1);
  if (line.find('\r') != std::string_view::npos) return refuse(Status::bad_request);

  if (!request_.has_request_line()) return refuse(request_.read_request_line(line, begin, limits_));
  if (!line.empty()) return refuse(request_.read_field(line, begin, limits_));
  head_complete_ = true;
  refuse(request_.finish(bytes.substr(0, scanned_), limits_));
}

// Two things need no complete line: a CR without its LF, and a method that is none.
void RequestReader::judge_incomplete(std::string_view bytes, std::size_t looked_at) noexcept {
  const std::string_view line = bytes.substr(line_begin_);
  if (!request_.has_request_line() && line != "\r") {
    if (const Status status = judge_method(line); status != Status::none) return refuse(status);
  }
  const std::size_t from = std::max<std::size_t>(line_begin_, looked_at > 0 ? looked_at - 1 : 0);
  const std::size_t cr = bytes.find('\r', from);
  if (cr != std::string_view::npos && cr + 1 < bytes.size()) refuse(Status::bad_request);
}

// No byte behind it is looked at before the head is complete.
std::uint32_t RequestReader::window() const noexcept {
  constexpr std::uint32_t method_version_and_end = method_bytes_max + 12;
  if (request_.has_request_line()) return limits_.bytes;
  return std::min(limits_.bytes, line_begin_ + limits_.target_bytes + method_version_and_end);
}

// A head with a body behind it is kept, for what it asks is done when the body has come.
bool RequestReader::begin_body(Segment& input, Waker waker) noexcept {
  if (!request_.has_body() || body_withheld()) return true;
  if (!store_.held()) {
    store_.take(waker);
    keep(text_of(input).substr(0, scanned_));
    drop(input, scanned_);
  }
  if (request_.chunked()) {
    body_.begin_chunked(limits_.body_bytes);
  } else {
    body_.begin_length(request_.content_length());
  }
  return true;
}

bool RequestReader::read_body(Segment& input) noexcept {
  while (body_.reading() && !input.empty()) drop(input, body_.read(text_of(input)));
  refuse(body_.refusal());
  return !body_.reading();
}

}  // namespace lab
