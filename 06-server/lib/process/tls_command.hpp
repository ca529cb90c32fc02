// The TLS options of a server's command line, and the context that comes of them.
//
// Lifetime: from before the command's parse() to the end of the program.
//   TlsCommand tls(command);
//   command.parse(argc, argv);
//   if (const auto context = tls.make_context()) {
//     return serve<Tls<Echo>>(command, [&] { return std::make_unique<Tls<Echo>::Shared>(*context);
//     });
//   }
//   return serve<Echo>(command);
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "06-server/lib/process/server_command.hpp"
#include "06-server/lib/protocol/tls/tls_context.hpp"
#include "06-server/lib/protocol/tls/tls_options.hpp"

namespace lab {

class TlsCommand {
 public:
  /// Adds the options to the command's line, in the group TLS.
  /// @param alpn what is spoken inside, by ALPN's names
  explicit TlsCommand(ServerCommand& command, const std::vector<std::string>& alpn = {});
  TlsCommand(const TlsCommand&) = delete;
  TlsCommand& operator=(const TlsCommand&) = delete;

  /// After parse(). Ends the program with cause and cure where a file is not as it must be (exit
  /// code 1) or the options do not fit together (2). Says the fingerprint of a certificate that it
  /// has made.
  /// @return null: no TLS is wanted
  std::unique_ptr<TlsContext> make_context();

 private:
  enum class Use : std::uint8_t { files, self_signed };

  std::string complaint() const;

  ServerCommand& command_;
  TlsOptions options_;
  Use use_ = Use::files;
  std::optional<TlsVersion> version_min_;
};

}  // namespace lab
