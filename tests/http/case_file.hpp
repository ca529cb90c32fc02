// The table of requests and their right answers, read from a file: cases.txt says how it is
// written.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace lab::test {

/// What one answer has to be.
struct Want {
  std::vector<int> statuses;               ///< any of them
  bool to_head = false;                    ///< it answers a HEAD: no body, whatever its length says
  std::vector<std::string> fields;         ///< "Name: value", or "Name" with any value
  std::vector<std::string> absent_fields;  ///< names
  long size = -1;                          ///< bytes of the body; -1: any
  std::string body;                        ///< what it is; empty: anything
};

struct Step {
  enum class Kind { send, end, pass };
  Kind kind = Kind::send;
  std::string text;  ///< of send
  unsigned milliseconds = 0;
};

/// What becomes of the connection.
enum class Then {
  open,     ///< it stays: one more GET is answered
  closed,   ///< the server ends it, orderly
  refused,  ///< closed, and what the peer still sends is taken and thrown away
};

struct Case {
  std::string name;  ///< "A15/2": the second variant of a row
  std::string title;
  std::vector<Step> steps;
  std::vector<Want> wants;
  Then then = Then::open;
};

/// The entity tag of a file: `path` and the name of a coding.
using FindTag = std::function<std::string(const std::string& path, const std::string& coding)>;

/// Reads the cases. Throws std::runtime_error with file, line and what is wrong.
std::vector<Case> read_cases(const std::string& file, const FindTag& find_tag);

}  // namespace lab::test
