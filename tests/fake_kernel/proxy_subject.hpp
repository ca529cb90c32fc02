#pragma once

#include <netinet/in.h>

#include <array>
#include <vector>

#include "06-server/proxy/balance.hpp"
#include "tests/fake_kernel/random.hpp"
#include "tests/fake_kernel/scenario.hpp"

namespace lab::fake {

using Tested = Proxy;

struct Subjected {
  static std::vector<SocketAddress> addresses() {
    std::vector<SocketAddress> all;
    for (unsigned index = 0; index < upstreams_max; ++index) {
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(static_cast<std::uint16_t>(first_port + index));
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      all.push_back(
          SocketAddress::from(reinterpret_cast<const sockaddr&>(address), sizeof address));
    }
    return all;
  }

  void plant(std::uint64_t seed) {
    Random random(seed);
    shared.state.connect_timeout_ms = random.between(20, 1000);
    shared.state.proxy_protocol = random.chance(300);
  }

  std::array<Counter, 2 * upstreams_max + 3> counters{};
  Tested::Shared shared{SessionOptions{.frames_max = 512},
                        Upstreams(addresses(), Balance::round_robin, 4), ProxyCounters(counters),
                        std::uint32_t{1000}, false};
};

}  // namespace lab::fake
