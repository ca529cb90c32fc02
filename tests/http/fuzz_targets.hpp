// What fuzzing feeds: each takes any bytes, and aborts or fails where something is wrong.
#pragma once

#include <string_view>

namespace lab::test {

/// A connection's bytes: whole, byte by byte, and cut at odd places into an engine that is short of
/// everything. Aborts when the answers differ, or when a buffer does not come home.
void fuzz_connection(std::string_view bytes);
/// A target and its path: no segment of dots, no NUL and no escape is left to be seen.
void fuzz_target(std::string_view bytes);
/// A Range field: what it says lies within the body.
void fuzz_range(std::string_view bytes);
/// An Accept-Encoding field: what is chosen is wanted, or is identity.
void fuzz_accept_encoding(std::string_view bytes);
/// Lists of tags and dates.
void fuzz_conditions(std::string_view bytes);

}  // namespace lab::test
