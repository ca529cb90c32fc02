#include "06-server/lib/protocol/tls/tls_contents.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <memory>

#include "06-server/lib/protocol/tls/tls_error.hpp"

namespace lab {

namespace {

// The authorities of a whole system are a quarter of it.
constexpr std::size_t file_max = 1 << 20;

std::string read_text(const std::string& path, const char* what, const char* option) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             &std::fclose);
  std::string text;
  std::array<char, 4096> part;
  std::size_t count = 0;
  while (file && text.size() <= file_max &&
         (count = std::fread(part.data(), 1, part.size(), file.get())) > 0) {
    text.append(part.data(), count);
  }
  const bool failed = !file || std::ferror(file.get()) != 0;
  if (failed || text.size() > file_max) {
    throw TlsError(fmt::format(
        "the {} {} cannot be read: {}. Cure: {} with a PEM file that this user may read", what,
        path, failed ? std::strerror(errno) : "it has more than 1 MiB", option));
  }
  return text;
}

}  // namespace

TlsContents read_tls_contents(const TlsOptions& options) {
  TlsContents contents;
  for (const std::string& path : options.certificates)
    contents.certificates.push_back(read_text(path, "certificate", "--tls-cert"));
  for (const std::string& path : options.keys)
    contents.keys.push_back(read_text(path, "key", "--tls-key"));
  if (!options.client_ca.empty())
    contents.client_ca = read_text(options.client_ca, "file of authorities", "--tls-client-ca");
  return contents;
}

}  // namespace lab
