// Certificates and keys on their way to another process: text in memory that no file system has.
#pragma once

#include "02-files/lib/fd.hpp"
#include "06-server/lib/protocol/tls/tls_contents.hpp"

namespace lab {

/// @throws std::system_error. memfd_create(2)
Fd pack_tls(const TlsContents& contents);

/// @throws std::system_error, TlsError when it is no such parcel
TlsContents unpack_tls(const Fd& parcel);

}  // namespace lab
