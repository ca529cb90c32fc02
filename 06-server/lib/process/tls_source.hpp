// Where a server's certificates come from: its files at the start, and again on SIGHUP. In the
// supervisor's process; workers inherit what is current, or get it as a parcel.
#pragma once

#include <memory>
#include <string>

#include "02-files/lib/fd.hpp"
#include "06-server/lib/process/reload.hpp"
#include "06-server/lib/protocol/tls/tls_context.hpp"
#include "06-server/lib/protocol/tls/tls_shared.hpp"

namespace lab {

/// Lifetime: the supervisor's. It outlives the reloads that it was asked for.
class TlsSource {
 public:
  /// @throws TlsError with cause and cure, std::system_error
  explicit TlsSource(const TlsOptions& options);
  TlsSource(const TlsSource&) = delete;
  TlsSource& operator=(const TlsSource&) = delete;

  /// What new workers inherit. A reload puts another in its place.
  const std::shared_ptr<const TlsContext>& context() const noexcept { return current_.context; }
  /// The steps of reading the files anew. Its context is this object.
  Reload reload() noexcept;

 private:
  struct Certificates {
    TlsContents contents;
    std::shared_ptr<const TlsContext> context;
  };

  const TlsOptions options_;
  const Fd always_readable_;  ///< reading takes no time worth waiting for
  Certificates current_;
  Certificates next_;  ///< read, and not taken yet
};

/// In a worker: the parcel's certificates are for connections that come from now on. What cannot be
/// taken is counted and leaves the old ones in place.
void take_certificates(TlsShared& shared, const Fd& parcel) noexcept;

}  // namespace lab
