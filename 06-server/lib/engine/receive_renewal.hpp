// Begins receives again from time to time, where an idle one keeps the sockets closed after it.
//
// Before Linux 6.13 the kernel lets the files of closed slots go in the order of the requests on
// the table: an idle connection's receive, armed for hours, would keep every socket that was closed
// in these hours, 4 KB each. A send that its peer does not take keeps sockets too, until the idle
// timeout or TCP_USER_TIMEOUT ends it.
#pragma once

#include <cstdint>

#include "06-server/lib/engine/intrusive_list.hpp"

namespace lab {

/// Client has: receiving_link, receiving_since(), renew_receive().
template <class Client>
class ReceiveRenewal {
 public:
  /// @param period_ticks so seldom that it costs nothing that counts
  explicit ReceiveRenewal(std::uint32_t period_ticks) noexcept : period_ticks_(period_ticks) {}

  /// Its receive was armed just now.
  void begins(Client& client) noexcept { in_flight_.push_back(client); }
  /// Its receive has had its last CQE. REQUIRES: begins() was called.
  void ended(Client& client) noexcept { in_flight_.remove(client); }
  /// One more socket may be kept by an older receive.
  void slot_closed() noexcept { ++closed_; }

  /// Each tick: once a period, or after closed_max closes, all that are in flight are ended and
  /// begun again, oldest first.
  void renew(std::uint32_t tick) noexcept {
    Client* client = in_flight_.front();
    for (unsigned left = per_tick_max; client != nullptr && left > 0; --left) {
      if (client->receiving_since() > until_tick_) break;
      client->renew_receive();
      client = in_flight_.next(*client);
    }
    const bool is_time = tick - until_tick_ >= period_ticks_;
    if (closed_ < (is_time ? 1 : closed_max)) return;
    until_tick_ = tick;
    closed_ = 0;
  }

 private:
  // Two CQEs each, which the queue has room for beside the traffic; 32768 take 3.2 s.
  static constexpr unsigned per_tick_max = 256;
  static constexpr unsigned closed_max = 10'000;  // sockets kept: 40 MB

  IntrusiveList<Client, &Client::receiving_link> in_flight_;  ///< the oldest first
  std::uint32_t period_ticks_;
  std::uint32_t until_tick_ = 0;  ///< receives that began until then are due
  unsigned closed_ = 0;
};

}  // namespace lab
