// An address as our servers print it and people type it: "[::1]:8000", "127.0.0.1:8000", "::1".
#pragma once

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace lab {

struct HostPort {
  std::string host;                   ///< without brackets, as getaddrinfo(3) takes it
  std::optional<std::uint16_t> port;  ///< where the text has one
};

/// Takes the address apart. Brackets are for IPv6 with a port and may stand without one; more than
/// one colon without brackets is an IPv6 address.
/// @param cure what may be written in its place; not all who ask take all of it
/// @throws std::invalid_argument what is wrong with it
inline HostPort split_host_port(
    std::string_view text,
    std::string_view cure = "127.0.0.1, 127.0.0.1:8000, ::1, [::1]:8000 or a name") {
  const auto wrong = [&](const char* cause) -> std::invalid_argument {
    return std::invalid_argument(
        fmt::format("\"{}\" is no address: {}. Cure: {}", text, cause, cure));
  };
  HostPort result;
  std::string_view port;
  const std::size_t colon = text.find(':');
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) throw wrong("its bracket is not closed");
    result.host = text.substr(1, end - 1);
    port = text.substr(end + 1);
    if (!port.empty() && port.front() != ':')
      throw wrong("after the bracket comes a port or nothing");
  } else if (colon != std::string_view::npos && colon == text.rfind(':')) {
    result.host = text.substr(0, colon);
    port = text.substr(colon);
  } else {
    result.host = text;
  }
  if (result.host.empty()) throw wrong("there is no host");
  if (port.empty()) return result;
  port.remove_prefix(1);
  unsigned number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size() || number < 1 || number > 65535) {
    throw wrong("its port is no number from 1 to 65535");
  }
  result.port = static_cast<std::uint16_t>(number);
  return result;
}

/// The address as one word of a command line, or two.
/// @param port the second word; nothing when there is none
/// @throws std::invalid_argument when there is no port, or two of them
inline HostPort split_host_port(std::string_view text, std::optional<std::uint16_t> port) {
  HostPort result = split_host_port(text);
  if (port && result.port) {
    throw std::invalid_argument(
        fmt::format("the port is given twice, in \"{}\" and as {}. Cure: once", text, *port));
  }
  if (!port && !result.port) {
    throw std::invalid_argument(
        fmt::format("\"{}\" has no port. Cure: a second word, or HOST:PORT; an IPv6 address with a "
                    "port has brackets: [::1]:8000",
                    text));
  }
  if (port) result.port = port;
  return result;
}

/// A text for people with an address in it, as the servers print it: {} stands for the whole,
/// {host} and {port} for its parts, as programs take them that want two words.
/// @throws std::invalid_argument when `where` is no address
inline std::string with_place(std::string text, const std::string& where) {
  const HostPort place = split_host_port(where);
  const auto put = [&text](std::string_view mark, const std::string& word) {
    const std::size_t at = text.find(mark);
    if (at != std::string::npos) text.replace(at, mark.size(), word);
  };
  put("{host}", place.host);
  put("{port}", place.port ? std::to_string(*place.port) : "");
  put("{}", where);
  return text;
}

/// "[::1]" as "::1", and anything else as it is: for an option that takes an address alone.
inline std::string unbracketed(const std::string& text) {
  const bool brackets = text.size() > 2 && text.front() == '[' && text.back() == ']';
  return brackets ? text.substr(1, text.size() - 2) : text;
}

/// As the servers print it.
inline std::string host_port_text(const std::string& host, unsigned port) {
  const bool ipv6 = host.find(':') != std::string::npos;
  return ipv6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

}  // namespace lab
