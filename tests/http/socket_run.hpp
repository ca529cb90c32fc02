// Runs a case against a server, over a socket of its own.
#pragma once

#include <cstdint>
#include <string>

#include "tests/http/case_file.hpp"
#include "tests/http/transcript.hpp"

namespace lab::test {

/// A server on this machine or another: numbers, no names.
struct ServerAddress {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  bool tls = false;  ///< whoever vouches for it
};

/// "127.0.0.1:8080" or "[::1]:8080". Throws std::runtime_error.
ServerAddress parse_address(const std::string& text);

/// Sends what the case sends and collects what comes, until all of it has come and the connection
/// has ended, where it should; at most `patience_ms`. Over TLS an end without close_notify is a
/// reset. Throws std::system_error when it cannot connect.
Transcript run_over_socket(const ServerAddress& server, const Case& wanted, unsigned patience_ms);

/// Asks the server for an entity tag. Throws as above, and std::runtime_error when there is none.
std::string ask_for_tag(const ServerAddress& server, const std::string& path,
                        const std::string& coding, unsigned patience_ms);

}  // namespace lab::test
