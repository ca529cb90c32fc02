// What the limits of its worker mean for one connection: it may be there only to be turned away.
//
// Lifetime: a base of its connection. Where there are no limits it does nothing.
#pragma once

namespace lab {

/// Connection derives from it and has: commons(), slot().
template <class Connection>
class Admission {
 public:
  /// True from its first moment on: its protocol is told nothing, and nothing is received.
  bool turned_away() const noexcept { return turned_away_; }

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

  bool turned_away_ = false;
};

}  // namespace lab
