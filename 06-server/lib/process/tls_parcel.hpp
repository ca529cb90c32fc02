// Certificates and keys on their way to another process, in a memory file.
#pragma once

#include "02-files/lib/fd.hpp"
#include "06-server/lib/protocol/tls/tls_contents.hpp"

namespace lab {

/// @throws std::system_error
Fd pack_tls(const TlsContents& contents);

/// @throws std::system_error, TlsError when it is no such parcel
TlsContents unpack_tls(const Fd& parcel);

}  // namespace lab
