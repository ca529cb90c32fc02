// Which networks are let in, and which are not: --allow and --deny.
//
// Rule: the longest network that has the address decides. Whoever is in none is let in, unless
// there is an --allow at all: a list of friends leaves out everybody else.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "06-server/lib/limits/client_address.hpp"

namespace lab {

/// 192.0.2.0/24, 2001:db8::/32, or one address.
struct NetworkPrefix {
  ClientAddress address;  ///< zeros behind the prefix
  unsigned length = 0;    ///< bits, of 128: an IPv4 network has 96 more than it is written with

  /// True when the client's address begins with the network's bits. An IPv4 client is in no
  /// network that is written as one of IPv6, ::/0 neither.
  bool contains(const ClientAddress& client) const noexcept {
    if (length < ClientAddress::ipv4_offset && client.is_ipv4()) return false;
    return client.prefix(length) == address;
  }
  bool operator==(const NetworkPrefix&) const = default;
};

/// @return what is wrong with it, with a cure; empty: `network` is set
std::string parse_network(const std::string& text, NetworkPrefix& network);

/// The networks of one server. It never changes.
class AddressRules {
 public:
  AddressRules() = default;
  /// Networks that are in both: denied.
  AddressRules(const std::vector<NetworkPrefix>& allowed, const std::vector<NetworkPrefix>& denied);

  /// True without any rule: everybody is let in.
  bool empty() const noexcept { return rules_.empty(); }
  /// What the rules say of this client.
  bool lets_in(const ClientAddress& client) const noexcept {
    for (const Rule& rule : rules_) {
      if (rule.network.contains(client)) return rule.lets_in;
    }
    return others_;
  }

 private:
  struct Rule {
    NetworkPrefix network;
    bool lets_in;
  };

  std::vector<Rule> rules_;  ///< the longest first
  bool others_ = true;
};

}  // namespace lab
