// What server and clients of the model have in common where TLS is between them.
#pragma once

#include <cstdint>
#include <memory>

#include "06-server/lib/protocol/tls/tls_context.hpp"
#include "tests/fake_kernel/script.hpp"

namespace lab::fake {

/// OpenSSL's randomness follows from the seed from here on, so the same seed gives the same run.
void plant_randomness(std::uint64_t seed);

/// A client that says over TLS what `inner` says, and must hear what `inner` must.
std::shared_ptr<const Script> make_tls_script(std::uint64_t key,
                                              std::shared_ptr<const Script> inner);

/// Few handshakes at once and few buffers, so that they run out.
std::shared_ptr<const TlsContext> tls_context();

}  // namespace lab::fake
