// What a server's Shared may have beside what its protocol asks for, tied to its worker.
#pragma once

#include <utility>

#include "02-files/lib/fd.hpp"
#include "06-server/lib/process/reload.hpp"

namespace lab {

/// If it has on_parcel(Reload::Kind, Fd) noexcept, it gets what a Reload passes on; if it has
/// on_ring(Ring&) noexcept, it gets the worker's ring for operations of its own, where there is
/// one.
/// @tparam P the worker's protocol. Shared is P::Shared, or derives from it
/// @param shared what the worker's connections have in common; it outlives the worker
template <class P, class Engine, class Shared>
void attach_hooks(Engine& worker, Shared& shared) noexcept {
  if constexpr (requires(Fd parcel) { shared.on_parcel(Reload::Kind{}, std::move(parcel)); }) {
    worker.handle_parcels([](typename P::Shared& of_worker, unsigned kind, Fd parcel) noexcept {
      static_cast<Shared&>(of_worker).on_parcel(Reload::Kind(kind), std::move(parcel));
    });
  }
  if constexpr (requires { shared.on_ring(worker.ring()); }) shared.on_ring(worker.ring());
}

}  // namespace lab
