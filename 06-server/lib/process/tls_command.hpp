// The TLS options of a server's command line, and the context that comes of them.
//
// Lifetime: from before the command's parse() to the end of the program.
//   TlsCommand tls(command);
//   command.parse(argc, argv);
//   if (tls.start()) {
//     return serve<Tls<Echo>>(command, [&](std::span<Counter> of_worker) {
//       return std::make_unique<TlsWorker<Tls<Echo>>>(tls.context(), tls.counters(of_worker));
//     });
//   }
//   return serve<Echo>(command);
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "02-files/lib/fd.hpp"
#include "05-performance/lib/worker_stats.hpp"
#include "06-server/lib/process/reload.hpp"
#include "06-server/lib/process/server_command.hpp"
#include "06-server/lib/process/tls_source.hpp"
#include "06-server/lib/protocol/tls/tls_context.hpp"
#include "06-server/lib/protocol/tls/tls_counters.hpp"
#include "06-server/lib/protocol/tls/tls_options.hpp"

namespace lab {

/// The options, and after start() the certificates.
class TlsCommand {
 public:
  /// Adds the options to the command's line, in the group TLS.
  /// @param alpn what is spoken inside, by ALPN's names
  explicit TlsCommand(ServerCommand& command, const std::vector<std::string>& alpn = {});
  TlsCommand(const TlsCommand&) = delete;
  TlsCommand& operator=(const TlsCommand&) = delete;

  /// After parse(). Ends the program with cause and cure where a file is not as it must be (exit
  /// code 1) or the options do not fit together (2). Says the fingerprint of a certificate that it
  /// has made. Where there are files, SIGHUP reads them anew.
  /// @return false: no TLS is wanted
  bool start();
  /// After start(): what is current; null: no TLS is wanted.
  std::shared_ptr<const TlsContext> context() const noexcept {
    return source_ ? source_->context() : nullptr;
  }
  /// Those of TLS among a worker's counters. REQUIRES that TLS is wanted.
  TlsCounters counters(std::span<Counter> of_worker) const noexcept {
    return TlsCounters(counters_.of(of_worker));
  }

 private:
  enum class Use : std::uint8_t { files, self_signed };

  std::string complaint() const;

  ServerCommand& command_;
  TlsOptions options_;
  Use use_ = Use::files;
  std::optional<TlsVersion> version_min_;
  std::optional<TlsSource> source_;
  CounterPlace counters_;
};

/// What a worker's connections over TLS share, with certificates that come while it serves.
/// @tparam P a Tls
template <class P>
class TlsWorker : public P::Shared {
 public:
  /// @param context what is current at the fork
  /// @param counters this worker's
  TlsWorker(std::shared_ptr<const TlsContext> context, TlsCounters counters)
      : P::Shared(std::move(context)) {
    this->tls.counters = counters;
  }
  void on_parcel(Reload::Kind kind, const Fd& parcel) noexcept {
    if (kind == Reload::Kind::certificates) take_certificates(this->tls, parcel);
  }
};

}  // namespace lab
