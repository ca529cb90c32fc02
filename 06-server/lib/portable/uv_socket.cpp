#include "06-server/lib/portable/uv_socket.hpp"

#include <poll.h>
#include <sys/socket.h>

namespace lab {

int descriptor_of(const uv_stream_t* stream) noexcept {
  uv_os_fd_t fd = -1;
  return uv_fileno(reinterpret_cast<const uv_handle_t*>(stream), &fd) == 0 ? fd : -1;
}

bool is_writable(const uv_stream_t* stream) noexcept {
  pollfd asked{.fd = descriptor_of(stream), .events = POLLOUT, .revents = 0};
  return poll(&asked, 1, 0) == 1;  // an error is an answer, too
}

void reset_on_close(const uv_stream_t* stream) noexcept {
  const linger reset{.l_onoff = 1, .l_linger = 0};
  setsockopt(descriptor_of(stream), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}

}  // namespace lab
