// The Io of the hook that runs, whatever its type: so what uses it is no template, and a coroutine
// can be written in a file of its own.
//
// Lifetime: the hook's, on its stack. Rule: nobody keeps it longer.
#pragma once

#include <cstdint>
#include <utility>

#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

class HookIo {
 public:
  template <class Hook>
  explicit HookIo(Hook& io) noexcept : io_(&io), calls_(calls_of<Hook>) {}

  void send(Segment bytes) noexcept { calls_.send(io_, bytes); }
  std::uint32_t room() const noexcept { return calls_.room(io_); }
  bool all_sent() const noexcept { return calls_.all_sent(io_); }
  PooledBuffer take_buffer() noexcept { return calls_.take_buffer(io_); }
  void receive(Receive what) noexcept { calls_.receive(io_, what); }
  void unread(Segment bytes) noexcept { calls_.unread(io_, bytes); }
  void finish(Finish how) noexcept { calls_.finish(io_, how); }
  void reset() noexcept { calls_.reset(io_); }
  void pace() noexcept { calls_.pace(io_); }
  std::uint32_t tick() const noexcept { return calls_.tick(io_); }

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

  void* io_;
  const Calls& calls_;
};

}  // namespace lab
