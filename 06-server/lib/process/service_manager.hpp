// Tells whoever started the server how it is: sd_notify(3), as systemd and others ask for it.
//
// Lifetime: the supervisor's. It never waits: what cannot be sent now is sent at a later tick.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "02-files/lib/fd.hpp"
#include "05-performance/lib/worker_stats.hpp"

namespace lab {

/// Nothing of it does anything where there is no manager.
class ServiceManager {
 public:
  /// Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment: the workers are
  /// not meant. REQUIRES: a single thread
  /// @param blocks of statistics whose heartbeats the watchdog is about
  explicit ServiceManager(unsigned blocks);

  /// What is wrong with the environment, for the log; empty: nothing.
  const std::string& complaint() const noexcept { return complaint_; }

  /// It serves. @param status a line for `systemctl status`
  void ready(const std::string& status);
  /// It reads anew, at a signal: RELOADING=1 with the time, as Type=notify-reload asks for it.
  void reloading();
  /// True from reloading() to ready().
  bool reloads() const noexcept { return reloads_; }
  /// It ends. @param longest_ms it may take so long, and that is no reason to kill it
  void stopping(std::uint64_t longest_ms);

  /// Once per tick. A watchdog's ping goes out at half of its time, when each block's heartbeat
  /// has moved since the last one.
  /// @param serves whether the process serves that counts in this block: one that is dead is
  /// started again by the supervisor, and says nothing of the others. Somebody has to serve.
  /// @param ends the workers are on their way out, which has a deadline of its own
  template <class Serves>
  void tick(const SharedStats& stats, const Serves& serves, bool ends) {
    if (!fd_) return;
    send_waiting();
    if (ping_us_ == 0) return;
    bool alive = ends;
    bool all_move = true;
    for (std::size_t block = 0; block < beats_.size() && !ends; ++block) {
      if (!serves(static_cast<unsigned>(block))) continue;
      alive = true;
      all_move = all_move && stats[block].heartbeat.get() != beats_[block];
    }
    if (!alive || !all_move || now_us() - pinged_us_ < ping_us_) return;
    for (std::size_t block = 0; block < beats_.size(); ++block) {
      beats_[block] = stats[block].heartbeat.get();
    }
    pinged_us_ = now_us();
    say("WATCHDOG=1");
  }

 private:
  static constexpr std::size_t waiting_max = 8;

  static std::uint64_t now_us() noexcept;  // CLOCK_MONOTONIC
  void read_place(const std::string& place);
  void say(const std::string& text);
  void send_waiting();
  bool send(const std::string& text) noexcept;

  Fd fd_;  ///< open exactly while there is a manager
  sockaddr_un address_{};
  socklen_t address_size_ = 0;
  std::string complaint_;
  std::deque<std::string> waiting_;  ///< for the manager to read what it has got
  bool reloads_ = false;
  std::uint64_t ping_us_ = 0;  ///< between two pings; 0: there is no watchdog
  std::uint64_t pinged_us_ = 0;
  std::vector<std::uint64_t> beats_;  ///< by block, at the last ping
};

}  // namespace lab
