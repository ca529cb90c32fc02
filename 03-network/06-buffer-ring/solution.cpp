// Twelve messages come through two buffers: each is copied, and its buffer given back at once.
#include "03-network/06-buffer-ring/check.hpp"

// The CQE of a receive has come. Returns the message; empty when there is none.
std::string on_receive(check::Buffers& buffers, int res, unsigned flags) {
  if ((flags & IORING_CQE_F_BUFFER) == 0) return {};
  const unsigned id = flags >> IORING_CQE_BUFFER_SHIFT;
  const std::string message(buffers.bytes(id), static_cast<std::size_t>(res));
  buffers.provide(id);
  return message;
}

int main(int argc, char** argv) { return check::run(argc, argv); }
