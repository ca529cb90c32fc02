// What all TLS connections of a server have in common: certificates, keys, rules.
//
// Lifetime: made before the fork, so that workers share its memory, or in a worker by a reload;
// each connection that it began shares it. Rule: it never changes. A reload makes another with the
// same TicketKeys beside it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "06-server/lib/protocol/tls/ticket_keys.hpp"
#include "06-server/lib/protocol/tls/tls_certificate.hpp"
#include "06-server/lib/protocol/tls/tls_contents.hpp"
#include "06-server/lib/protocol/tls/tls_options.hpp"

namespace lab {

/// For any thread: it is only read.
class TlsContext {
 public:
  /// @throws TlsError with cause and cure, std::system_error
  /// @param options name the files, of which `contents` are
  /// @param ticket_keys those of the context before this one, after a reload; none: new ones
  TlsContext(const TlsOptions& options, const TlsContents& contents,
             std::shared_ptr<TicketKeys> ticket_keys = {});
  /// Reads the files.
  explicit TlsContext(const TlsOptions& options, std::shared_ptr<TicketKeys> ticket_keys = {})
      : TlsContext(options, read_tls_contents(options), std::move(ticket_keys)) {}
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  /// As the constructor was told.
  const TlsOptions& options() const noexcept { return options_; }
  /// For the context after this one, so that its clients' tickets stay good.
  const std::shared_ptr<TicketKeys>& ticket_keys() const noexcept { return ticket_keys_; }
  /// Of the first certificate.
  std::string fingerprint() const;
  /// A name that it is for; empty: it has none.
  std::string host() const;
  /// Where a connection begins.
  ssl_ctx_st& first() const noexcept { return *contexts_.front(); }

  // For OpenSSL's callbacks.

  /// The certificate for a name; null: there is none.
  ssl_ctx_st* find(const char* name) const noexcept;
  /// ALPN's wire format, which says sizes.
  const std::vector<unsigned char>& alpn() const noexcept { return alpn_; }
  /// Since the machine's start, sleep included: a clock that nobody sets, for the ages of tickets.
  static std::uint64_t now_seconds() noexcept;

 private:
  TlsContextPointer make_context(const TlsContents& contents);
  void set_rules(ssl_ctx_st& context);
  void set_client_ca(ssl_ctx_st& context, const TlsContents& contents);

  TlsOptions options_;
  std::shared_ptr<TicketKeys> ticket_keys_;
  std::vector<unsigned char> alpn_;
  std::vector<TlsContextPointer> contexts_;  ///< one per certificate
};

}  // namespace lab
