// What the session under test and its oracle agree on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lab::fake {

inline constexpr std::size_t session_line_max = 200;
inline constexpr std::string_view session_greeting = "session: say something\n";
inline constexpr std::string_view session_constant = "this never changes\n";
inline constexpr std::uint32_t think_ms = 300;  ///< longer than a drain looks at who rests
inline constexpr std::size_t fill_bytes = 100;
inline constexpr unsigned fill_pieces = 12;

}  // namespace lab::fake
