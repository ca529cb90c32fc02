// What stands in the files that TLS needs, as text: read once, then it goes where a context is
// made.
//
// Lifetime: its own. Rule: it holds private keys, so it is written nowhere.
#pragma once

#include <string>
#include <vector>

#include "06-server/lib/protocol/tls/tls_options.hpp"

namespace lab {

/// The texts of all files of TlsOptions.
struct TlsContents {
  std::vector<std::string> certificates;  ///< PEM, in the order of TlsOptions
  std::vector<std::string> keys;          ///< PEM, one for each certificate
  std::string client_ca;                  ///< PEM; empty: no client is asked
};

/// @throws TlsError with cause and cure
TlsContents read_tls_contents(const TlsOptions& options);

}  // namespace lab
