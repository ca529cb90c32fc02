// How long changes are let come before what changed is read anew. Without a clock of its own.
#pragma once

#include <cstdint>

namespace lab {

/// When to read anew after a change: when nothing changed for a while, since a deployment is many
/// changes, and at the latest some time after the first, since some sites never rest.
class ReloadPause {
 public:
  static constexpr std::uint64_t quiet_ms = 200;     ///< without a change
  static constexpr std::uint64_t longest_ms = 2000;  ///< from the first change

  /// A change was not read yet.
  bool waits() const noexcept { return waits_; }
  void on_change(std::uint64_t now_ms) noexcept {
    if (!waits_) first_ms_ = now_ms;
    waits_ = true;
    last_ms_ = now_ms;
  }
  /// True when it is time to read.
  /// @param now_ms of a clock that does not go back
  bool due(std::uint64_t now_ms) const noexcept {
    return waits_ && (now_ms - last_ms_ >= quiet_ms || now_ms - first_ms_ >= longest_ms);
  }
  /// Reading has begun: it sees all changes until now.
  void on_read() noexcept { waits_ = false; }

 private:
  bool waits_ = false;
  std::uint64_t first_ms_ = 0;
  std::uint64_t last_ms_ = 0;
};

}  // namespace lab
