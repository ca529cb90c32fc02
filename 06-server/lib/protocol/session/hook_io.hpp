// The Io of the hook that runs, whatever its type: so what uses it is no template, and a coroutine
// can be written in a file of its own.
//
// Lifetime: the hook's, on its stack. Rule: nobody keeps it longer.
#pragma once

#include <cstdint>
#include <utility>

#include "06-server/lib/protocol/dialling.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

/// An Io, and a DiallingIo where can_dial(): each function is that of the hook's Io, by a pointer.
class HookIo {
 public:
  template <class Hook>
  explicit HookIo(Hook& io) noexcept : io_(&io), calls_(calls_of<Hook>) {
    if constexpr (DiallingIo<Hook>) dial_calls_ = &dial_calls_of<Hook>;
  }

  void send(Segment bytes) noexcept { calls_.send(io_, bytes); }           ///< see Io
  std::uint32_t room() const noexcept { return calls_.room(io_); }         ///< see Io
  bool all_sent() const noexcept { return calls_.all_sent(io_); }          ///< see Io
  PooledBuffer take_buffer() noexcept { return calls_.take_buffer(io_); }  ///< see Io
  void receive(Receive what) noexcept { calls_.receive(io_, what); }       ///< see Io
  void unread(Segment bytes) noexcept { calls_.unread(io_, bytes); }       ///< see Io
  void finish(Finish how) noexcept { calls_.finish(io_, how); }            ///< see Io
  void reset() noexcept { calls_.reset(io_); }                             ///< see Io
  void pace() noexcept { calls_.pace(io_); }                               ///< see Io
  std::uint32_t tick() const noexcept { return calls_.tick(io_); }         ///< see Io

  /// The hook's Io is a DiallingIo. What follows REQUIRES it.
  bool can_dial() const noexcept { return dial_calls_ != nullptr; }
  /// See DiallingIo.
  bool dial(const SocketAddress& address) noexcept { return dial_calls_->dial(io_, address); }
  /// See DiallingIo.
  DialState dial_state() const noexcept { return dial_calls_->dial_state(io_); }
  int dial_error() const noexcept { return dial_calls_->dial_error(io_); }   ///< see DiallingIo
  void hang_up() noexcept { dial_calls_->hang_up(io_); }                     ///< see DiallingIo
  void relay() noexcept { dial_calls_->relay(io_); }                         ///< see DiallingIo
  bool relays() const noexcept { return dial_calls_->relays(io_); }          ///< see DiallingIo
  void pass(Segment bytes) noexcept { dial_calls_->pass(io_, bytes); }       ///< see DiallingIo
  void pass_end() noexcept { dial_calls_->pass_end(io_); }                   ///< see DiallingIo
  void find_ends() noexcept { dial_calls_->find_ends(io_); }                 ///< see DiallingIo
  bool finds_ends() const noexcept { return dial_calls_->finds_ends(io_); }  ///< see DiallingIo
  /// See DiallingIo.
  bool ends(ConnectionEnds& ends) const noexcept { return dial_calls_->ends(io_, ends); }

 private:
  /// A table of functions is all that "virtual" would be, and an Io need not derive from anything.
  struct Calls {
    void (*send)(void* io, Segment& bytes) noexcept;
    std::uint32_t (*room)(const void* io) noexcept;
    bool (*all_sent)(const void* io) noexcept;
    PooledBuffer (*take_buffer)(void* io) noexcept;
    void (*receive)(void* io, Receive what) noexcept;
    void (*unread)(void* io, Segment& bytes) noexcept;
    void (*finish)(void* io, Finish how) noexcept;
    void (*reset)(void* io) noexcept;
    void (*pace)(void* io) noexcept;
    std::uint32_t (*tick)(const void* io) noexcept;
  };

  template <class Hook>
  static constexpr Calls calls_of{
      [](void* io, Segment& bytes) noexcept { static_cast<Hook*>(io)->send(std::move(bytes)); },
      [](const void* io) noexcept { return static_cast<const Hook*>(io)->room(); },
      [](const void* io) noexcept { return static_cast<const Hook*>(io)->all_sent(); },
      [](void* io) noexcept { return static_cast<Hook*>(io)->take_buffer(); },
      [](void* io, Receive what) noexcept { static_cast<Hook*>(io)->receive(what); },
      [](void* io, Segment& bytes) noexcept { static_cast<Hook*>(io)->unread(std::move(bytes)); },
      [](void* io, Finish how) noexcept { static_cast<Hook*>(io)->finish(how); },
      [](void* io) noexcept { static_cast<Hook*>(io)->reset(); },
      [](void* io) noexcept { static_cast<Hook*>(io)->pace(); },
      [](const void* io) noexcept { return static_cast<const Hook*>(io)->tick(); }};

  struct DialCalls {
    bool (*dial)(void* io, const SocketAddress& address) noexcept;
    DialState (*dial_state)(const void* io) noexcept;
    int (*dial_error)(const void* io) noexcept;
    void (*hang_up)(void* io) noexcept;
    void (*relay)(void* io) noexcept;
    bool (*relays)(const void* io) noexcept;
    void (*pass)(void* io, Segment& bytes) noexcept;
    void (*pass_end)(void* io) noexcept;
    void (*find_ends)(void* io) noexcept;
    bool (*finds_ends)(const void* io) noexcept;
    bool (*ends)(const void* io, ConnectionEnds& ends) noexcept;
  };

  template <class Hook>
  static constexpr DialCalls dial_calls_of{
      [](void* io, const SocketAddress& address) noexcept {
        return static_cast<Hook*>(io)->dial(address);
      },
      [](const void* io) noexcept { return static_cast<const Hook*>(io)->dial_state(); },
      [](const void* io) noexcept { return static_cast<const Hook*>(io)->dial_error(); },
      [](void* io) noexcept { static_cast<Hook*>(io)->hang_up(); },
      [](void* io) noexcept { static_cast<Hook*>(io)->relay(); },
      [](const void* io) noexcept { return static_cast<const Hook*>(io)->relays(); },
      [](void* io, Segment& bytes) noexcept { static_cast<Hook*>(io)->pass(std::move(bytes)); },
      [](void* io) noexcept { static_cast<Hook*>(io)->pass_end(); },
      [](void* io) noexcept { static_cast<Hook*>(io)->find_ends(); },
      [](const void* io) noexcept { return static_cast<const Hook*>(io)->finds_ends(); },
      [](const void* io, ConnectionEnds& ends) noexcept {
        return static_cast<const Hook*>(io)->ends(ends);
      }};

  void* io_;
  const Calls& calls_;
  const DialCalls* dial_calls_ = nullptr;  ///< where the hook's Io dials
};

}  // namespace lab
