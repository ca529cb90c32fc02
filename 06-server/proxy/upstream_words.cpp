#include "06-server/proxy/upstream_words.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace lab {

namespace {

constexpr std::string_view form =
    "HOST:PORT, as in 127.0.0.1:9001, [::1]:9001 or example.org:9001; --to again for each";
constexpr std::uint16_t some_port = 9001;

bool is_ipv6(const std::string& host) {
  in6_addr bytes{};
  return inet_pton(AF_INET6, host.substr(0, host.find('%')).c_str(), &bytes) == 1;
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// What may be put into a cure: an address, or what looks like a name.
bool is_host(const std::string& host) {
  if (is_ipv6(host)) return true;
  const auto in_names = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
  };
  return !host.empty() && !is_number(host) && std::all_of(host.begin(), host.end(), in_names);
}

// The text as it is printed, when it is one that is taken.
std::optional<std::string> taken(std::string_view text, std::optional<std::uint16_t> port = {}) {
  try {
    HostPort place = split_host_port(text);
    if (!place.port) place.port = port;
    const bool bare = place.host.find(':') != std::string::npos && !text.starts_with('[');
    if (place.port && !bare && is_host(place.host)) {
      return host_port_text(place.host, *place.port);
    }
  } catch (const std::invalid_argument&) {
    // then there is no cure to be made from it
  }
  return {};
}

std::invalid_argument wrong(std::string_view text, std::string_view cause,
                            const std::optional<std::string>& cure) {
  return std::invalid_argument(
      fmt::format("{} {}. Cure: {}", text, cause, cure ? *cure : std::string(form)));
}

// The address in a URL, with the port that its scheme means.
std::optional<std::string> in_url(std::string_view url) {
  const std::size_t scheme = url.find("://");
  const std::string_view rest = url.substr(scheme + 3);
  std::string_view place = rest.substr(0, rest.find_first_of("/?#"));
  place.remove_prefix(place.rfind('@') + 1);  // whom it is asked for; npos + 1 is 0
  std::optional<std::uint16_t> port;
  if (url.starts_with("http://")) port = 80;
  if (url.starts_with("https://")) port = 443;
  const std::optional<std::string> address = taken(place, port);
  return address ? std::optional("--to " + *address) : std::nullopt;
}

// Several addresses in one text, or one with something around it.
std::optional<std::string> one_by_one(std::string_view text, std::string_view separators) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(separators), text.size());
    if (end > 0) {
      const std::optional<std::string> address = taken(text.substr(0, end));
      if (!address) return {};
      words.push_back("--to " + *address);
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (words.empty()) return {};
  return fmt::format("{}", fmt::join(words, " "));
}

// An IPv6 address without brackets may end with what was meant as a port, and may not.
std::optional<std::string> with_brackets(const std::string& host) {
  const std::size_t colon = host.rfind(':');
  const std::optional<std::string> with_port =
      taken(fmt::format("[{}]{}", host.substr(0, colon), host.substr(colon)));
  if (!is_ipv6(host)) return with_port;
  const std::string whole = host_port_text(host, some_port);
  if (!with_port) return "HOST:PORT, as in " + whole;
  return fmt::format("{}, or {} if all of it is the address", *with_port, whole);
}

std::invalid_argument without_port(const std::string& text, const std::string& host) {
  constexpr std::string_view cause = "has no port";
  if (host.find(':') != std::string::npos && !text.starts_with('[')) {
    const bool can_be = is_ipv6(host);
    return wrong(text, can_be ? cause : "is no address", with_brackets(host));
  }
  if (is_number(host)) return wrong(text, "has no host", taken("127.0.0.1:" + host));
  if (!is_host(host)) return wrong(text, cause, {});
  return wrong(text, cause, "HOST:PORT, as in " + host_port_text(host, some_port));
}

}  // namespace

HostPort split_upstream(const std::string& text) {
  constexpr std::string_view separators = ",; \t\n";
  if (text.find_first_of(separators) != std::string::npos) {
    throw wrong(text, "is not one address", one_by_one(text, separators));
  }
  if (text.find("://") != std::string::npos) {
    throw wrong(text, "is a URL, and connections are passed on whatever they carry", in_url(text));
  }
  if (!text.starts_with('[') && text.find(']') != std::string::npos) {
    throw wrong(text, "has a bracket that is not opened", taken("[" + text));
  }
  HostPort place = split_host_port(text, form);
  if (!place.port) throw without_port(text, place.host);
  return place;
}

}  // namespace lab
