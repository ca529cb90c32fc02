#include "06-server/lib/process/listener_group.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <fstream>
#include <stdexcept>
#include <system_error>

#include "01-core/lib/check.hpp"
#include "05-performance/lib/core_thread.hpp"
#include "06-server/lib/limits/sip_key.hpp"
#include "06-server/lib/process/explain.hpp"
#include "06-server/lib/process/steering.hpp"

namespace lab {

ListenerGroup::ListenerGroup(const Options& options)
    : options_(options),
      cpus_(allowed_cpus()),
      source_key_(static_cast<std::uint32_t>(random_sip_key().low) | 1U),
      listeners_(options.workers) {
  try {
    passed() ? take_passed() : open();
  } catch (const std::system_error& error) {
    throw std::runtime_error(explain_listener(options_.listener, error));
  }
  attach_steering();
}

void ListenerGroup::open() {
  options_.listener.reuse_port = false;
  for (unsigned worker = 0; worker < options_.workers; ++worker) {
    listeners_[worker].emplace(options_.listener);
    order_.push_back(worker);
    if (worker > 0) continue;
    // Alone until here, so nobody else listens there; the others join it.
    options_.listener.port = listeners_[worker]->port();
    options_.listener.reuse_port = options_.workers > 1;
    if (options_.listener.reuse_port) listeners_[worker]->share_port();
  }
}

// A listener that joins the port of one that was passed would end with this server, and with it
// the clients that wait there. So workers share what there is.
void ListenerGroup::take_passed() {
  std::vector<Fd> sockets;
  for (const int fd : options_.passed) sockets.emplace_back(fd);
  for (unsigned worker = 0; worker < options_.workers; ++worker) {
    const int fd = sockets[worker % sockets.size()].get();
    listeners_[worker].emplace(Fd(check_errno(fcntl(fd, F_DUPFD_CLOEXEC, 3), "fcntl")),
                               options_.listener);
    order_.push_back(worker);
  }
  options_.listener.port = listeners_[0]->port();
}

// The kernel puts the last listener of the group in the place of the one that left.
void ListenerGroup::give_up(unsigned worker) {
  listeners_[worker].reset();
  const auto place = std::find(order_.begin(), order_.end(), worker);
  *place = order_.back();
  order_.pop_back();
  attach_steering();
}

void ListenerGroup::open_again(unsigned worker) {
  listeners_[worker].emplace(options_.listener);
  order_.push_back(worker);
  attach_steering();
}

// Shut down and not only closed, for the workers have the sockets open, too: what comes now is
// refused at once and may go to another server.
void ListenerGroup::close_all() noexcept {
  for (std::optional<Listener>& listener : listeners_) {
    if (listener && !passed()) shutdown(listener->fd(), SHUT_RDWR);
    listener.reset();
  }
  order_.clear();
}

std::string ListenerGroup::address() const {
  const std::string& address = options_.listener.address;
  const bool v6 = address.find(':') != std::string::npos;
  return (v6 ? "[" + address + "]" : address) + ":" + std::to_string(port());
}

bool ListenerGroup::steers_by_cpu() const noexcept {
  if (options_.workers == 1 || passed() || options_.steering == Steering::hash) return false;
  if (options_.steering == Steering::source) return false;
  if (options_.steering == Steering::cpu) return true;
  return options_.pin && options_.workers == cpus_.size();
}

bool ListenerGroup::waiting_clients_move() {
  int migrate = 0;
  std::ifstream("/proc/sys/net/ipv4/tcp_migrate_req") >> migrate;
  return migrate != 0;
}

const char* ListenerGroup::steering_words() const noexcept {
  if (options_.workers == 1) return "no steering";
  if (shares_one()) return "at one socket that was passed";
  return steers_by_source() ? "steered by source"
         : steers_by_cpu()  ? "steered by CPU"
                            : "steered by hash";
}

const char* ListenerGroup::waiting_words() const noexcept {
  if (shares_one()) return "the others take its clients";
  return passed() ? "its clients wait at its socket, which was passed"
                  : "no other listener is open, so new clients wait";
}

void ListenerGroup::attach_steering() {
  if (steers_by_cpu()) steer_to_cpus();
  if (steers_by_source()) steer_to_sources();
}

void ListenerGroup::steer_to_cpus() {
  std::vector<CpuTarget> targets;
  for (const int target : cpus_) {
    for (unsigned place = 0; place < order_.size(); ++place) {
      if (cpu(order_[place]) == target) {
        targets.push_back({target, place});
        break;
      }
    }
  }
  steer_by_cpu(listeners_[order_.front()]->fd(), targets, 0);
}

// A worker's share stays its own; while it has no listener the others have it.
void ListenerGroup::steer_to_sources() {
  std::vector<unsigned> places(options_.workers);
  for (unsigned worker = 0; worker < options_.workers; ++worker) {
    const auto place = std::find(order_.begin(), order_.end(), worker);
    places[worker] = place != order_.end() ? static_cast<unsigned>(place - order_.begin())
                                           : worker % static_cast<unsigned>(order_.size());
  }
  steer_by_source(
      listeners_[order_.front()]->fd(),
      {.group_indices = places, .prefix_bits = options_.source_prefix_bits, .key = source_key_});
}

}  // namespace lab
