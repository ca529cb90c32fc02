// What the engine does with the descriptor under a stream of libuv's itself.
#pragma once

#include <uv.h>

namespace lab {

/// @return -1: it has none yet
int descriptor_of(const uv_stream_t* stream) noexcept;

/// There is room for an answer now: a question, without a wait.
bool is_writable(const uv_stream_t* stream) noexcept;

/// uv_close() will be a reset, which drops what the peer does not read. uv_tcp_close_reset() does
/// not do it after a uv_shutdown().
void reset_on_close(const uv_stream_t* stream) noexcept;

}  // namespace lab
