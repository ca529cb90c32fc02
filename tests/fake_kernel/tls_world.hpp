// What server and clients of the model have in common where TLS is between them.
#pragma once

#include <cstdint>
#include <memory>

#include "06-server/lib/protocol/tls/tls_context.hpp"

namespace lab::fake {

/// OpenSSL's randomness follows from the seed from here on, so the same seed gives the same run.
void plant_randomness(std::uint64_t seed);

/// Few handshakes at once and few buffers, so that they run out.
std::shared_ptr<const TlsContext> tls_context();

}  // namespace lab::fake
