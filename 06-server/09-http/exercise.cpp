// A shelf with one page, which its clients ask for again and again. As it is, each of them gets the
// whole page each time. With If-None-Match a client says which versions it has: then 304 is enough.
#include "06-server/09-http/check.hpp"

// Whether the client has the version with this tag. `etag` has its quotes: "v1".
bool has_it(const lab::RequestHead& request, std::string_view head, std::string_view etag) {
  // YOUR TURN 1: the value of lab::Field::if_none_match is a list, perhaps in several lines
  // (for_each_value), or an asterisk: any version. lab::next_member takes a list apart.
  // YOUR TURN 2: a tag may be weak, W/"v1". For this question it is the same as "v1".
  (void)request, (void)head, (void)etag;
  return false;
}

// What a client gets that asks for the page, with GET or HEAD.
void answer(check::Answer& out, const lab::RequestHead& request, std::string_view head,
            const check::Page& page) {
  // YOUR TURN 3: without the tag in the answer no client can ever ask with If-None-Match. And a 304
  // ends with its head, whatever it says.
  (void)head;
  out.put("HTTP/1.1 200 OK\r\nContent-Length: ");
  out.put_number(page.body.size());
  out.put("\r\n\r\n");
  if (request.method() == lab::Method::get) out.put(page.body);
}

int main(int argc, char** argv) { return check::run(argc, argv); }
