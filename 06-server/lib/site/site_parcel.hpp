// A generation on its way to another process: all its descriptors in the queue of one socket, which
// is a descriptor itself and can be sent like any.
//
// A process takes hundreds of descriptors out of it without waiting for anybody, and whoever passes
// the one on need not know what is in it. unix(7), SCM_RIGHTS
#pragma once

#include "06-server/lib/site/generation.hpp"

namespace lab {

/// So many streamed files are certain to fit into the queue of a socket as Linux makes it.
inline constexpr std::uint64_t parcel_descriptors_max = 40'000;

/// `files` keeps its descriptors; a parcel has others of the same. An ordinary user may have only
/// ulimit -n of them on their way at a time: pack the next when this one was unpacked.
/// @throws SiteError with cause and cure
Fd pack_site(const SiteFiles& files);

/// Never waits.
/// @throws SiteError when it is no parcel, or this process may not have so many descriptors
SiteFiles unpack_site(const Fd& parcel);

}  // namespace lab
