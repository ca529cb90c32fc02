// What the limits of its worker mean for one connection: each request counts, and it may be there
// only to be turned away.
//
// Lifetime: a base of its connection. Where there are no limits it does nothing.
#pragma once

#include <cstdint>

namespace lab {

/// Connection derives from it and has: commons(), slot(), waker().
template <class Connection>
class Admission {
 public:
  /// True from its first moment on: its protocol is told nothing, and nothing is received.
  bool turned_away() const noexcept { return turned_away_; }

  // --- of its Io ---

  /// Counts a request. @return false: it is one too many, and is not counted
  bool admit_request() noexcept {
    auto* limits = self().commons().limits();
    return limits == nullptr || limits->admit_request(self().slot(), now_ns());
  }
  /// Counts a request; one too many makes the connection wait until the rate allows it
  void pace() noexcept {
    auto* limits = self().commons().limits();
    if (limits != nullptr) limits->pace(self().slot(), now_ns(), self().waker());
  }

  /// Nothing is received until it may ask again.
  bool paced() noexcept {
    auto* limits = self().commons().limits();
    return limits != nullptr && limits->paced(self().slot());
  }

 protected:
  /// @return whether its peer is listened to until it has heard it: a reset may come before a FIN
  bool begin_to_turn_away() noexcept {
    const bool lingers = self().commons().may_linger_turned_away();
    turned_away_ = true;
    self().commons().turns_away();
    return lingers;
  }

 private:
  Connection& self() noexcept { return static_cast<Connection&>(*this); }
  std::uint64_t now_ns() noexcept { return self().commons().now_ns(); }

  bool turned_away_ = false;
};

}  // namespace lab
