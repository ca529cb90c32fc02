// The proxy's session: finds an upstream that takes the client, and lets the two talk.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "06-server/lib/protocol/session/session.hpp"
#include "06-server/lib/protocol/session/upstream.hpp"
#include "06-server/proxy/proxy_counters.hpp"
#include "06-server/proxy/proxy_line.hpp"
#include "06-server/proxy/upstreams.hpp"

namespace lab {

/// What a worker's sessions have in common.
struct Balancer {
  Upstreams upstreams;
  ProxyCounters counters;
  std::uint32_t connect_timeout_ms = 1000;
  bool proxy_protocol = false;
};

// The shortage is here, and ends soon: the upstream has not failed.
inline bool lacks_places(int error) noexcept {
  return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

// [walk balance]
inline Task balance(FramePool&, SessionIo& session, Balancer& balancer) {
  Upstream upstream(session);
  Upstreams& all = balancer.upstreams;
  Upstreams::Tried tried = 0;
  while (const std::optional<std::size_t> index = all.pick(tried, upstream.tick())) {
    const Upstreams::Use use(all, *index);
    SessionResult result = SessionResult::refused;
    for (;;) {
      result = co_await upstream.connect(all.address(*index), balancer.connect_timeout_ms);
      if (result != SessionResult::refused || !lacks_places(upstream.error())) break;
      // The places of those that have just ended are not free yet. A statement of its own: g++ 12
      // awaits what stands behind &&, whatever is in front.
      const SessionResult slept = co_await session.sleep(1);
      if (slept == SessionResult::lost) co_return 0;  // no hook runs: nothing may be asked
      if (slept != SessionResult::timeout) continue;
      balancer.counters.unserved().add(1);
      co_return 0;
    }
    if (result == SessionResult::lost) co_return 0;  // the client has gone
    if (result == SessionResult::drain) break;       // no upstream's fault
    if (result != SessionResult::ok) {
      if (result == SessionResult::timeout) balancer.counters.timeouts().add(1);
      balancer.counters.failed(*index).add(1);
      all.failed(*index, upstream.tick());
      continue;
    }
    all.succeeded(*index);
    balancer.counters.connected(*index).add(1);
    if (balancer.proxy_protocol) {
      ConnectionEnds ends;
      const bool known = co_await upstream.ends(ends) == SessionResult::ok;
      const ProxyLine line = known ? ProxyLine(ends) : ProxyLine();
      co_await upstream.write(line.text());
    }
    const SessionResult end = co_await upstream.relay();
    if (end != SessionResult::end) balancer.counters.lost().add(1);
    if (end == SessionResult::refused) session.reset();  // it was lost before it began
    co_return 0;
  }
  balancer.counters.unserved().add(1);
  co_return 0;  // the client reads the end
}
// [/walk]

using Proxy = DiallingSession<balance>;

}  // namespace lab
