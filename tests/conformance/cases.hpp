// The cases, by what they are about. Each file cases_*.cpp holds one group.
#pragma once

#include <chrono>
#include <vector>

#include "tests/conformance/context.hpp"

namespace lab {

struct Case {
  const char* name;
  const char* what;
  std::chrono::seconds limit;  // its deadline, before --time-scale
  void (*run)(Context& context);
};

std::vector<Case> content_cases();   // every byte, in order, whatever the sizes
std::vector<Case> pressure_cases();  // peers that do not read
std::vector<Case> ending_cases();    // half-close, reset, gone
std::vector<Case> crowd_cases();
std::vector<Case> tls_cases();  // many connections, and more than fit

}  // namespace lab
