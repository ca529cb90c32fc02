#include "06-server/lib/process/explain.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>

namespace lab {

namespace {

// ip(7), since Linux 4.11
unsigned unprivileged_port_start() {
  unsigned port = 1024;
  std::ifstream("/proc/sys/net/ipv4/ip_unprivileged_port_start") >> port;
  return port;
}

}  // namespace

std::string explain(const std::exception& error) {
  const std::string text = error.what();
  const auto* system = dynamic_cast<const std::system_error*>(&error);
  switch (system == nullptr ? 0 : system->code().value()) {
    case EMFILE:
      return text + ". Cure: raise ulimit -n, or start fewer --workers";
    case ENFILE:
      return text + ": the whole machine has no more descriptors. Cure: raise sysctl fs.file-max";
    default:
      return text;
  }
}

std::string explain_listener(const ListenerOptions& options, const std::system_error& error) {
  switch (error.code().value()) {
    case EADDRINUSE:
      return fmt::format(
          "port {} on {} is in use by another server. Cure: stop it, or take --port 0",
          options.port, options.address);
    case EADDRNOTAVAIL:
      return fmt::format("--address: no interface of this machine has {}", options.address);
    case EINVAL:  // ipv6(7)
      if (options.address.find(':') == std::string::npos) break;
      return fmt::format(
          "--address: {} is a link-local address, which needs the name of an interface, or a "
          "multicast one. Cure: another address of this machine, or ::",
          options.address);
    case EACCES:
      if (const unsigned start = unprivileged_port_start(); options.port < start) {
        return fmt::format(
            "--port: only root may listen on {}. Cure: take {} or more, or lower sysctl "
            "net.ipv4.ip_unprivileged_port_start",
            options.port, start);
      }
      break;
    default:
      break;
  }
  return explain(error);
}

}  // namespace lab
