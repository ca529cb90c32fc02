// Why TLS cannot be served, in words: what is wrong, and what cures it.
#pragma once

#include <stdexcept>
#include <string>

namespace lab {

/// A certificate, a key or an option is not as it must be. what() is a whole message: cause and
/// cure.
class TlsError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The oldest error in OpenSSL's queue in words; the queue is empty afterwards.
std::string take_tls_error();

}  // namespace lab
