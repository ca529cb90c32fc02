#include "06-server/lib/limits/sip_key.hpp"

#include <cstdint>
#include <random>

namespace lab {

// What the system has of randomness: getentropy(), arc4random() or /dev/urandom.
SipKey random_sip_key() {
  std::random_device device;
  const auto word = [&device] { return std::uint64_t{device()} << 32U | device(); };
  SipKey key;
  key.low = word();
  key.high = word();
  return key;
}

}  // namespace lab
