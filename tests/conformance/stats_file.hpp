// The server's statistics: a file of JSON lines, one per interval, each counting from the start of
// the server. Read at any time; a line that is still being written is not looked at.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tests/conformance/client.hpp"

namespace lab {

// The fields that cases look at, by the names that the server gives them.
namespace stats_field {
inline constexpr std::string_view pauses = "pauses";
inline constexpr std::string_view receives_one_shot = "receives_one_shot";
}  // namespace stats_field

class StatsFile {
 public:
  // Watches the file from now on, so that no line is missed. Throws Failure when it is not there.
  explicit StatsFile(const std::string& path);
  StatsFile(const StatsFile&) = delete;
  StatsFile& operator=(const StatsFile&) = delete;
  ~StatsFile();

  // The field in the last whole line. A line that has it several times (a worker each, and the
  // total) gives their sum, which grows exactly when one of them does. Nothing before the first
  // line or without the field.
  [[nodiscard]] std::optional<std::uint64_t> read(std::string_view field) const;

  // Returns when the file has been written to or the deadline has passed; false then.
  bool wait_for_change(Deadline deadline) const;

 private:
  std::string path_;
  int watch_ = -1;
};

}  // namespace lab
