// Judges the exercise of 06-server/09-http: each request is followed by another one on the same
// connection, in memory. Nobody edits this file.
#pragma once

#include <array>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "01-core/lesson.hpp"
#include "06-server/08-your-protocol/memory_io.hpp"
#include "06-server/lib/protocol/http/http_text.hpp"
#include "06-server/lib/protocol/http/request_reader.hpp"

namespace check {

struct Page {
  std::string_view etag;
  std::string_view body;
};
inline constexpr Page page{.etag = "\"v2\"", .body = "<h1>Second edition</h1>\n"};

/// An answer that is being written, into a pooled buffer.
class Answer {
 public:
  explicit Answer(lab::PooledBuffer buffer) : buffer_(std::move(buffer)) {}
  void put(std::string_view text) {
    if (text.size() > buffer_.space().size() - size_) lab::fail("the answer is endless");
    std::memcpy(buffer_.space().data() + size_, text.data(), text.size());
    size_ += text.size();
  }
  void put_number(std::size_t number) { put(std::to_string(number)); }
  lab::Segment finish() { return std::move(buffer_).filled(static_cast<std::uint32_t>(size_)); }

 private:
  lab::PooledBuffer buffer_;
  std::size_t size_ = 0;
};

}  // namespace check

// Yours, in exercise.cpp.
bool has_it(const lab::RequestHead& request, std::string_view head, std::string_view etag);
void answer(check::Answer& out, const lab::RequestHead& request, std::string_view head,
            const check::Page& page);

namespace check {

/// Answers one request at a time.
class Shelf : public lab::ProtocolDefaults {
 public:
  struct Shared {
    lab::HeadLimits limits{};
    lab::HeadStores stores{1, limits.bytes};
  };
  static constexpr bool uses_buffers = true;

  explicit Shelf(Shared& shared) : reader_(shared.stores, shared.limits) {}
  void on_bytes(auto& io, lab::Segment bytes) noexcept {
    while (io.room() > 0 && reader_.read(bytes, io.waker())) {
      Answer out(io.take_buffer());
      answer(out, reader_.request(), reader_.head(bytes), page);
      reader_.next(bytes);
      io.send(out.finish());
      if (!bytes.empty()) return io.unread(std::move(bytes));
    }
  }
  void on_turn(auto& io) noexcept {
    if (io.room() > 512 / 2) io.receive(lab::Receive::on);
  }

 private:
  lab::RequestReader reader_;
};

struct Case {
  const char* words;
  const char* method;
  const char* fields;
  bool known;
  const char* look;
};

inline constexpr std::array cases{
    Case{"no If-None-Match", "GET", "", false, "YOUR TURN 1: without the field, send the page"},
    Case{"the version before this one", "GET", "If-None-Match: \"v1\"\r\n", false, "YOUR TURN 1"},
    Case{"a tag that ends as this one", "GET", "If-None-Match: \"my-v2\"\r\n", false,
         "YOUR TURN 1: compare whole tags"},
    Case{"this version", "GET", "If-None-Match: \"v2\"\r\n", true, "YOUR TURN 1"},
    Case{"this version, by HEAD", "HEAD", "If-None-Match: \"v2\"\r\n", true, "YOUR TURN 1"},
    Case{"a list of three", "GET", "If-None-Match: \"v1\", \"v2\" ,\"v0\"\r\n", true,
         "YOUR TURN 1: next_member() gives one tag after the other"},
    Case{"two lines", "GET", "If-None-Match: \"v1\"\r\nIf-None-Match: \"v2\"\r\n", true,
         "YOUR TURN 1: for_each_value() visits all lines"},
    Case{"an asterisk", "GET", "If-None-Match: *\r\n", true, "YOUR TURN 1"},
    Case{"a weak tag", "GET", "If-None-Match: W/\"v2\"\r\n", true, "YOUR TURN 2"},
};

// Two requests on one connection: what is heard.
inline std::string hear(const Case& one) {
  Shelf::Shared shared;
  memory::Io io({});
  Shelf shelf(shared);
  const std::string first = std::string(one.method) + " / HTTP/1.1\r\nHost: lab\r\n" + one.fields;
  io.deliver(shelf, first + "\r\nHEAD / HTTP/1.1\r\nHost: lab\r\n\r\n");
  return io.heard;
}

inline void judge(const Case& one) {
  const auto fail = [&](const std::string& what, const char* look) {
    lab::fail(std::string(one.words) + " (" + one.method + "): " + what, look);
  };
  const std::string heard = hear(one);
  const std::size_t size = heard.find("\r\n\r\n") + 4;
  const std::string head = heard.substr(0, size);
  const std::string status = head.substr(0, head.find('\r'));
  const std::string wanted = one.known ? "HTTP/1.1 304 Not Modified" : "HTTP/1.1 200 OK";
  if (status != wanted) fail("the answer is \"" + status + "\", not \"" + wanted + "\"", one.look);
  if (head.find("\r\nETag: \"v2\"\r\n") == std::string::npos) {
    fail("there is no \"ETag: \"v2\"\" in the answer", "YOUR TURN 3: 200 and 304 both carry it");
  }
  const bool has_body = !one.known && std::string_view(one.method) == "GET";
  std::string rest = heard.substr(size);
  if (has_body) {
    if (!rest.starts_with(page.body)) fail("the page is not behind the head", "YOUR TURN 3");
    rest = rest.substr(page.body.size());
  }
  if (!rest.starts_with("HTTP/1.1 200 OK\r\n")) {
    fail("the next answer begins with \"" + rest.substr(0, rest.find_first_of("\r\n")) + "\"",
         "YOUR TURN 3: neither a 304 nor an answer to HEAD has a body");
  }
}

inline int run(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  for (const Case& one : cases) judge(one);
  std::printf("%zu questions: the page only to those who do not have it\n", cases.size());
  return lab::ok();
}

}  // namespace check
