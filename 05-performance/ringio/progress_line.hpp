// The line on a terminal that tells how far the work is.
#pragma once

#include <cstdio>
#include <string>

namespace lab {

/// Shows a text in place of the line before; an empty one takes it away. complain() would end the
/// line, and fmt::print throws where the terminal has gone, in the middle of a run.
inline void show_line(const std::string& text) { std::fputs(("\r\x1b[K" + text).c_str(), stderr); }

}  // namespace lab
