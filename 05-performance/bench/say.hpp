// How the tools end: what cannot be said does not change the exit code of what went wrong, and a
// result that nobody got is not a success.
#pragma once

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>

namespace lab {

/// A line for the user, on stderr. fmt::print throws where stderr is closed or full, and would end
/// a program in the middle of its work; this does without the line then.
template <class... Args>
void complain(fmt::format_string<Args...> text, Args&&... args) noexcept {
  try {
    const std::string line = fmt::format(text, std::forward<Args>(args)...) + '\n';
    std::fputs(line.c_str(), stderr);
  } catch (...) {  // no memory for the line
  }
}

/// Shows a text in place of the line before, on a terminal's stderr; an empty one takes it away.
inline void show_line(const std::string& text) { std::fputs(("\r\x1b[K" + text).c_str(), stderr); }

/// Brings out what was printed on stdout. For the end of main, before a 0 is returned.
/// @return false when it could not all be written; that was said on stderr
inline bool output_written(const char* program) noexcept {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return true;
  complain("{}: the result cannot be written: {}", program,
           errno != 0 ? std::strerror(errno) : "an earlier part was refused");
  return false;
}

}  // namespace lab
