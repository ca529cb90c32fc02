// A load balancer for TCP: each client is sent on to one of several upstreams, and what the two say
// to each other goes through without a copy. A session that dials out, on the engine of the echo.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>
#include <span>
#include <stdexcept>
#include <utility>

#include "06-server/lib/process/serve.hpp"
#include "06-server/lib/process/server_command.hpp"
#include "06-server/proxy/balance.hpp"
#include "06-server/proxy/proxy_options.hpp"
#include "06-server/proxy/upstream_addresses.hpp"

int main(int argc, char** argv) {
  lab::ServerCommand command({
      .name = "proxy",
      .description =
          "Spreads TCP connections over several servers (upstreams), on io_uring: one pinned "
          "process per core.\n\n"
          "Try it:   echo-server --port 9001    and    echo-server --port 9002,   then\n"
          "          proxy --to 127.0.0.1:9001 --to 127.0.0.1:9002,   and elsewhere:   nc "
          "localhost 8000\n"
          "          (nc is in the package netcat-openbsd)\n"
          "A client takes two of --connections: one for itself, one for its upstream.\n"
          "Stop it:  Ctrl-C drains, a second one stops at once.",
  });
  lab::ProxyOptions options;
  lab::add_proxy_options(command.line(), options);
  command.parse(argc, argv);
  lab::UpstreamAddresses found;
  try {
    found = lab::find_upstreams(options.to, command.options().supervisor.listener);
  } catch (const std::invalid_argument& error) {
    command.line().refuse("--to", error.what());
  }
  if (command.options().worker.connections_max < 2) {
    command.line().refuse("--connections", "a client takes two. Cure: 2 or more");
  }
  const lab::CounterPlace counters = command.add_counters(lab::ProxyCounters::infos(found.names));
  const lab::CounterPlace of_sessions = command.add_counters(lab::SessionCounters::infos());
  for (std::size_t index = 0; index < found.names.size(); ++index) {
    command.alarm(
        {.counter = counters.first + lab::ProxyCounters::failed_index(found.names.size(), index),
         .what = fmt::format("upstream {} does not take clients", found.names[index]),
         .why = "they go to the others, and it is tried again after --rest-ms"});
  }
  found.notes.emplace_back("try: nc {host} {port}, or curl -i http://{}/ before web servers");
  command.hint(fmt::format("{}", fmt::join(found.notes, "; ")));

  return lab::serve<lab::Proxy>(command, [&](std::span<lab::Counter> of_worker) {
    const lab::SessionOptions sessions{.frames_max = command.options().worker.connections_max};
    auto shared = std::make_unique<lab::Proxy::Shared>(
        sessions,
        lab::Upstreams(found.addresses, options.balance, options.rest_ms / lab::protocol_tick_ms),
        lab::ProxyCounters(counters.of(of_worker)), options.connect_timeout_ms,
        options.proxy_protocol);
    shared->counters = lab::SessionCounters(of_sessions.of(of_worker));
    return shared;
  });
}
