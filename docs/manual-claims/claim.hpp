// What the manual says, and how it is tried: the table's types.
#pragma once

#include <span>
#include <string>

namespace claims {

enum class Verdict : unsigned char {
  holds,          ///< the kernel did what the manual says
  does_not_hold,  ///< it did something else
  not_here,       ///< the feature is missing, so there was nothing to try
};

/// What a check saw.
struct Outcome {
  bool holds;
  std::string seen;  ///< in words, with the numbers
};

struct Claim {
  const char* page;   ///< the manual page and its section, liburing 2.15
  const char* says;   ///< what it says, in our words
  const char* tried;  ///< what the check does
  Verdict expected;   ///< where the feature is there: holds or does_not_hold
  Outcome (*check)();
  bool (*is_here)() = nullptr;  ///< whether the feature is there; nullptr: since Linux 6.1 or older
  /// Kernels on which the other verdict was seen ("6.1 6.12"), where no feature tells them apart.
  /// Such a claim is judged on these kernels and on `recorded_on` alone.
  const char* differs_on = "";
};

/// The kernel that the expected verdicts were taken from; 6.1, 6.12 and 7.2 were run, too.
inline constexpr const char* recorded_on = "6.18";

std::span<const Claim> setup_claims();
std::span<const Claim> submit_claims();
std::span<const Claim> timeout_claims();
std::span<const Claim> link_claims();
std::span<const Claim> cancel_claims();
std::span<const Claim> network_claims();
std::span<const Claim> registration_claims();

}  // namespace claims
