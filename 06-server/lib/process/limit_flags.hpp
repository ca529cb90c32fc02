// The flags of the limits, which all servers share: --rate and those around it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "05-performance/bench/command_line.hpp"
#include "06-server/lib/limits/limit_options.hpp"

namespace lab {

/// Networks as they were written; check_limits() reads them.
struct LimitWords {
  std::vector<std::string> allowed;  ///< of --allow, one network each
  std::vector<std::string> denied;   ///< of --deny, one network each
};

/// @return what is wrong with it, with a cure; empty: `per_second` is set
std::string parse_rate(const std::string& text, std::uint32_t& per_second);

/// Declares them, in the group Limits. Both live as long as the line.
void add_limit_flags(CommandLine& line, LimitOptions& limits, LimitWords& words);

/// @throws std::invalid_argument for what one flag alone cannot know
void check_limits(const CommandLine& line, LimitOptions& limits, const LimitWords& words);

/// What is limited, for the first line of the log; empty: nothing is.
std::string limits_text(const LimitOptions& limits);

}  // namespace lab
