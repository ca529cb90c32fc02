// A shelf with one page, which its clients ask for again and again. Whoever has the current version
// is told so in a head, and nothing is sent.
#include "06-server/09-http/check.hpp"

// Whether the client has the version with this tag. `etag` has its quotes: "v1".
bool has_it(const lab::RequestHead& request, std::string_view head, std::string_view etag) {
  bool found = false;
  request.for_each_value(lab::Field::if_none_match, head, [&](std::string_view list) {
    for (auto tag = lab::next_member(list); !tag.empty(); tag = lab::next_member(list)) {
      if (tag.starts_with("W/")) tag.remove_prefix(2);
      found = found || tag == etag || tag == "*";
    }
  });
  return found;
}

// What a client gets that asks for the page, with GET or HEAD.
void answer(check::Answer& out, const lab::RequestHead& request, std::string_view head,
            const check::Page& page) {
  const bool known = has_it(request, head, page.etag);
  out.put(known ? "HTTP/1.1 304 Not Modified" : "HTTP/1.1 200 OK");
  out.put("\r\nETag: ");
  out.put(page.etag);
  if (!known) {
    out.put("\r\nContent-Length: ");
    out.put_number(page.body.size());
  }
  out.put("\r\n\r\n");
  if (!known && request.method() == lab::Method::get) out.put(page.body);
}

int main(int argc, char** argv) { return check::run(argc, argv); }
