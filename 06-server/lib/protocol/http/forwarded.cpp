#include "06-server/lib/protocol/http/forwarded.hpp"

#include <algorithm>
#include <optional>

#include "06-server/lib/limits/address_text.hpp"
#include "06-server/lib/protocol/http/http_text.hpp"

namespace lab {

ClientAddress forwarded_client(const ClientAddress& peer, std::span<const NetworkPrefix> trusted,
                               std::span<const std::string_view> lists) noexcept {
  ClientAddress client = peer;
  const auto is_trusted = [&] {
    return std::any_of(trusted.begin(), trusted.end(),
                       [&](const NetworkPrefix& network) { return network.contains(client); });
  };
  for (std::size_t line = lists.size(); line-- > 0;) {
    std::string_view list = lists[line];
    while (!list.empty()) {
      if (!is_trusted()) return client;
      const std::size_t comma = list.rfind(',');
      const bool first = comma == std::string_view::npos;
      const std::string_view member = trimmed(first ? list : list.substr(comma + 1));
      list = first ? std::string_view() : list.substr(0, comma);
      if (member.empty()) continue;
      // "unknown", or a name: whoever wrote it is the last of whom something is known.
      const std::optional<ClientAddress> address = parse_address(member);
      if (!address) return client;
      client = *address;
    }
  }
  return client;
}

}  // namespace lab
