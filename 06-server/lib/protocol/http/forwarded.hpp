// Who asks, where proxies stand in between: X-Forwarded-For, as far as it can be believed.
#pragma once

#include <span>
#include <string_view>

#include "06-server/lib/limits/address_rules.hpp"
#include "06-server/lib/limits/client_address.hpp"

namespace lab {

/// Each proxy appends whom it was asked by, so the list is read from its end: as long as who says
/// it is trusted, what he says is. The first who is not trusted is the client; what stands in front
/// of him he may have made up himself.
/// @param peer who is connected
/// @param lists the values of all X-Forwarded-For lines, in their order
ClientAddress forwarded_client(const ClientAddress& peer, std::span<const NetworkPrefix> trusted,
                               std::span<const std::string_view> lists) noexcept;

}  // namespace lab
