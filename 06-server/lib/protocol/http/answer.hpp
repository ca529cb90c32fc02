// What is answered to a request: decided from its head, the site and the time alone.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "06-server/lib/protocol/http/accept_encoding.hpp"
#include "06-server/lib/protocol/http/byte_range.hpp"
#include "06-server/lib/protocol/http/http_status.hpp"
#include "06-server/lib/protocol/http/preconditions.hpp"
#include "06-server/lib/protocol/http/request_head.hpp"
#include "06-server/lib/protocol/http/request_target.hpp"
#include "06-server/lib/protocol/http/resource.hpp"

namespace lab {

/// An answer but for its Date and what the connection does after it.
/// Lifetime: views into the request's head and into the site's generation.
struct Answer {
  Status status = Status::none;      ///< none: there is no answer yet
  const Variant* variant = nullptr;  ///< whose fields it has; null: a generated one
  std::uint64_t offset = 0;          ///< of the variant's body
  std::uint64_t size = 0;            ///< bytes of it that are sent, or would be but for HEAD
  std::string_view reason;           ///< the body of a generated one; empty: its status in words
  std::string_view location;         ///< of a redirect: a path
  std::string_view query;            ///< of a redirect: with its question mark, or empty
  std::uint64_t whole_size = 0;      ///< of 206 and 416: bytes of the whole body
  bool has_body = true;              ///< false: of HEAD, 204 and 304
};

namespace detail {

inline Answer plain_answer(Status status, Method method) noexcept {
  return {.status = status, .has_body = method != Method::head && status != Status::no_content};
}

/// The answer to GET and HEAD of a file.
Answer answer_file(const RequestHead& request, std::string_view head, const Resource& resource,
                   std::int64_t now_s) noexcept;
/// What stands for a page of an application, or 404 with the site's own page, or a plain one.
Answer answer_missing(const RequestHead& request, std::string_view head, const Found& found,
                      std::int64_t now_s) noexcept;

}  // namespace detail

/// @param head the bytes of `request`
/// @param now_s seconds since 1970
/// @param space at least as many bytes as the target has, for the decoded path
template <class Source>
Answer decide(const RequestHead& request, std::string_view head, Source& site, std::int64_t now_s,
              std::span<char> space) noexcept {
  const Method method = request.method();
  if (method == Method::unknown) return detail::plain_answer(Status::not_implemented, method);
  if (method == Method::other) return detail::plain_answer(Status::method_not_allowed, method);
  const auto target = parse_target(request.target(head));
  if (!target) return detail::plain_answer(Status::bad_request, method);
  if (target->form == RequestTarget::Form::asterisk) {
    const bool asks_for_options = method == Method::options;
    return detail::plain_answer(asks_for_options ? Status::no_content : Status::bad_request,
                                method);
  }

  std::string_view path;
  Found found;
  switch (decode_path(target->path, space, path)) {
    case PathResult::bad:
      return detail::plain_answer(Status::bad_request, method);
    case PathResult::no_name:
      break;
    case PathResult::decoded:
      found = site.find(path);
      break;
  }
  if (found.kind == Found::Kind::missing)
    return detail::answer_missing(request, head, found, now_s);
  if (method == Method::options) return detail::plain_answer(Status::no_content, method);
  if (found.kind == Found::Kind::unavailable)
    return detail::plain_answer(Status::service_unavailable, method);
  if (found.kind == Found::Kind::file)
    return detail::answer_file(request, head, *found.resource, now_s);
  Answer redirect = detail::plain_answer(Status::moved_permanently, method);
  redirect.location = found.location;
  redirect.query = target->query;
  return redirect;
}

}  // namespace lab
