#include "06-server/lib/limits/sip_key.hpp"

#include <sys/random.h>

#include <cerrno>
#include <system_error>

namespace lab {

SipKey random_sip_key() {
  SipKey key;
  // Up to 256 bytes come whole.
  if (getrandom(&key, sizeof key, 0) != static_cast<ssize_t>(sizeof key)) {
    throw std::system_error(errno, std::generic_category(), "getrandom");
  }
  return key;
}

}  // namespace lab
