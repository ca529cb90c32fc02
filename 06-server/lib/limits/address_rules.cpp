#include "06-server/lib/limits/address_rules.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace lab {

std::string parse_network(const std::string& text, NetworkPrefix& network) {
  const std::size_t slash = text.find('/');
  const std::string address = text.substr(0, slash);
  in_addr ipv4{};
  in6_addr ipv6{};
  const bool is_ipv4 = inet_pton(AF_INET, address.c_str(), &ipv4) == 1;
  if (!is_ipv4 && inet_pton(AF_INET6, address.c_str(), &ipv6) != 1) {
    return "'" + text + "' is no network. Cure: 192.0.2.0/24, 2001:db8::/32 or one address";
  }
  const unsigned longest = is_ipv4 ? 32 : ClientAddress::bits;
  unsigned length = longest;
  if (slash != std::string::npos) {
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data() + slash + 1, end, length);
    if (error != std::errc() || rest != end || length > longest) {
      return "'" + text + "' has no length from /0 to /" + std::to_string(longest) +
             ". Cure: as many bits as the network has, or none for one address";
    }
  }
  const ClientAddress client = is_ipv4 ? ClientAddress(ipv4) : ClientAddress(ipv6);
  if (is_ipv4) length += ClientAddress::ipv4_offset;
  network = {client.prefix(length), length};
  // Not corrected in silence: which of the two is meant, nobody knows.
  if (network.address == client) return {};
  return "'" + text + "' has bits behind its prefix. Cure: zeros there, or the longer prefix";
}

AddressRules::AddressRules(const std::vector<NetworkPrefix>& allowed,
                           const std::vector<NetworkPrefix>& denied)
    : others_(allowed.empty()) {
  for (const NetworkPrefix& network : denied) rules_.push_back({network, false});
  for (const NetworkPrefix& network : allowed) rules_.push_back({network, true});
  std::stable_sort(rules_.begin(), rules_.end(), [](const Rule& one, const Rule& other) {
    return one.network.length > other.network.length;
  });
}

}  // namespace lab
