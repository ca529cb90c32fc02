#include "06-server/lib/protocol/tls/tls_error.hpp"

#include <openssl/err.h>

namespace lab {

std::string take_tls_error() {
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  const char* const reason = error != 0 ? ERR_reason_error_string(error) : nullptr;
  return reason != nullptr ? reason : "OpenSSL gives no reason";
}

}  // namespace lab
