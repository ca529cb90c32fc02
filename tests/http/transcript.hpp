// What came back on a connection, and whether it is what a case wants.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/http/case_file.hpp"

namespace lab::test {

/// How a connection ended, as its client sees it.
enum class End {
  open,
  closed,   ///< FIN, and a peer that still sends gets a reset
  lingers,  ///< FIN, and what is still sent is taken
  reset
};

struct Transcript {
  std::string bytes;
  End end = End::open;
};

/// One answer out of a transcript.
struct HttpAnswer {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> fields;
  std::string body;

  /// The value of a field; null: it is not there. Names are compared without regard to case.
  const std::string* field(std::string_view name) const;
};

/// Takes the next answer off the front of `bytes`.
/// @param to_head it has no body
/// @param problem what is wrong with it; empty: nothing
/// @return false: it is not complete, or `problem` says why it is none
bool take_answer(std::string_view& bytes, bool to_head, HttpAnswer& answer, std::string& problem);

/// The request with which a connection that should be open is tried.
inline constexpr std::string_view probe = "GET /f.bin HTTP/1.1\r\nHost: probe\r\n\r\n";
inline constexpr std::size_t probe_answer_size = 1000;

/// Whether all answers that a case wants have come in full, and that of the probe.
bool is_complete(const Case& wanted, std::string_view bytes);

/// What differs from the case, a sentence each; nothing: it is as wanted.
/// @param transcript of a case that leaves the connection open: with the answer to the probe
std::vector<std::string> compare(const Case& wanted, const Transcript& transcript);

}  // namespace lab::test
