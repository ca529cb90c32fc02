// A web server as a protocol: a few pages in memory, read by the lab's strict parser.
//
// Left out: percent signs in paths, conditions, ranges, codings, a deadline for slow requests. The
// server's own protocol has them: 06-server/lib/protocol/http/http_static.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "06-server/lib/protocol/http/http_date.hpp"
#include "06-server/lib/protocol/http/http_status.hpp"
#include "06-server/lib/protocol/http/request_reader.hpp"
#include "06-server/lib/protocol/http/request_target.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace web {

struct Page {
  std::string_view path;
  std::string_view type;
  std::string_view body;
};

class Website : public lab::ProtocolDefaults {
 public:
  // [walk shared]
  struct Shared {
    std::span<const Page> pages;
    std::int64_t (*now_s)() = [] { return std::int64_t{std::time(nullptr)}; };
    lab::HeadLimits limits{};
    lab::HeadStores stores{16, limits.bytes};  // for heads that come in pieces
    lab::DateCache date{};
  };
  static constexpr bool uses_buffers = true;

  explicit Website(Shared& shared) noexcept
      : shared_(shared), reader_(shared.stores, shared.limits) {}
  // [/walk]

  // [walk hooks]
  void on_bytes(auto& io, lab::Segment bytes) noexcept {
    input_ = std::move(bytes);
    run(io);
  }
  void on_turn(auto& io) noexcept { run(io); }
  void on_end(auto& io) noexcept {
    ended_ = true;
    run(io);
  }
  void on_abort() noexcept { finished_ = true; }
  bool idle() const noexcept { return !closing_ && rest_.empty() && !reader_.begun(); }
  // [/walk]

 private:
  // The longest head, and the text of an error.
  static constexpr std::size_t answer_max = 300;

  // [walk run]
  void run(auto& io) noexcept {
    while (!finished_ && step(io)) {
    }
    if (finished_) return;
    flush(io);
    if (closing_ && rest_.empty()) {
      finished_ = true;
      input_.reset();
      io.finish(ended_ ? lab::Finish::close : lab::Finish::linger);
    } else if (!input_.empty()) {
      reader_.unread();
      io.unread(std::move(input_));
    } else {
      input_.reset();
      io.receive(lab::Receive::on);
    }
  }
  // [/walk]

  // [walk step]
  // One thing; false when nothing more can be done now.
  bool step(auto& io) noexcept {
    if (!rest_.empty()) return send_rest(io);
    if (closing_) return false;
    if (!reader_.read(input_, io.waker())) {
      closing_ = ended_;  // half a request has no answer
      return false;
    }
    if (!has_space(io)) return false;
    answer();
    reader_.next(input_);
    return true;
  }
  // [/walk]

  // [walk status]
  // With what the request is answered, and in `page` what is found.
  lab::Status judge(const Page*& page) noexcept {
    if (reader_.refusal() != lab::Status::none) return reader_.refusal();
    const lab::RequestHead& request = reader_.request();
    const std::string_view head = reader_.head(input_);
    if (request.method() == lab::Method::unknown) return lab::Status::not_implemented;
    const std::optional<lab::RequestTarget> target = lab::parse_target(request.target(head));
    if (!target) return lab::Status::bad_request;
    if (request.method() != lab::Method::get && request.method() != lab::Method::head) {
      return lab::Status::method_not_allowed;
    }
    const auto found = std::find_if(shared_.pages.begin(), shared_.pages.end(),
                                    [&](const Page& one) { return one.path == target->path; });
    if (found == shared_.pages.end()) return lab::Status::not_found;
    page = &*found;
    return lab::Status::ok;
  }
  // [/walk]

  // [walk answer]
  void answer() noexcept {
    const lab::RequestHead& request = reader_.request();
    const Page* page = nullptr;
    const lab::Status status = judge(page);
    const std::string_view body = page != nullptr ? page->body : lab::status_text(status);
    closing_ = status == lab::Status::bad_request || reader_.refusal() != lab::Status::none ||
               reader_.body_withheld() || !request.keep_alive();

    put("HTTP/1.1 ", lab::status_text(status), "\r\nDate: ");
    put(shared_.date.at(shared_.now_s()), "\r\nContent-Type: ");
    put(page != nullptr ? page->type : "text/plain", "\r\nContent-Length: ", number(body.size()));
    if (status == lab::Status::method_not_allowed) put("\r\nAllow: GET, HEAD");
    if (closing_) put("\r\nConnection: close");
    if (!closing_ && request.is_http_1_0()) put("\r\nConnection: keep-alive");
    put("\r\n\r\n");
    if (request.method() != lab::Method::head) rest_ = body;
  }
  // [/walk]

  // [walk send]
  // A body that fits goes behind its head. A larger one is sent from where it is.
  bool send_rest(auto& io) noexcept {
    if (out_ && rest_.size() <= out_.space().size() - out_size_) {
      put(std::exchange(rest_, {}));
      return true;
    }
    flush(io);
    if (io.room() == 0) return false;
    io.send(lab::Segment::stable(std::as_bytes(std::span(std::exchange(rest_, {})))));
    return true;
  }

  // Several answers share a buffer, so they leave in one send.
  bool has_space(auto& io) noexcept {
    if (out_ && out_.space().size() - out_size_ >= answer_max) return true;
    flush(io);
    if (io.room() > 0) out_ = io.take_buffer();
    return static_cast<bool>(out_);
  }

  void flush(auto& io) noexcept {
    if (out_size_ > 0) io.send(std::move(out_).filled(std::exchange(out_size_, 0)));
    out_ = {};
  }
  // [/walk]

  void put(const auto&... texts) noexcept { (put(std::string_view(texts)), ...); }
  void put(std::string_view text) noexcept {
    std::memcpy(out_.space().data() + out_size_, text.data(), text.size());
    out_size_ += static_cast<std::uint32_t>(text.size());
  }
  std::string_view number(std::size_t value) noexcept {
    const auto result = std::to_chars(digits_.begin(), digits_.end(), value);
    return {digits_.data(), static_cast<std::size_t>(result.ptr - digits_.data())};
  }

  Shared& shared_;
  lab::RequestReader reader_;
  lab::Segment input_;     // empty between hooks
  lab::PooledBuffer out_;  // answers that were not sent yet; none between hooks
  std::uint32_t out_size_ = 0;
  std::string_view rest_;  // of the last answer: its body, or nothing
  std::array<char, 20> digits_;
  bool ended_ = false;     // the client sends no more
  bool closing_ = false;   // the last answer was begun
  bool finished_ = false;  // finish() was called, or the connection is lost
};
static_assert(lab::Protocol<Website>);

}  // namespace web
