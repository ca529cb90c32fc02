// Content types by the extension of a name: what browsers insist on from a list of our own, the
// rest from the system's /etc/mime.types where it is installed.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

namespace lab {

/// The table, read once. Only asked afterwards, so by any thread.
class MimeTypes {
 public:
  /// @param system_file a file like /etc/mime.types; one that is missing adds nothing
  explicit MimeTypes(const std::string& system_file);

  /// The type of a file of this name, without a charset. "application/octet-stream" for unknown.
  /// Upper and lower case are the same.
  std::string_view of(std::string_view name) const;

 private:
  std::unordered_map<std::string, std::string> types_;
};

/// True for the types whose Content-Type names a charset: text alone. A browser refuses
/// "application/wasm; charset=utf-8".
bool has_charset(std::string_view type);

/// True where compressing is worth a try: text and its kin, and fonts and pictures that are not
/// compressed already.
bool is_compressible(std::string_view type);

}  // namespace lab
