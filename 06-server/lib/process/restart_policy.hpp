// When a worker that died is started again.
//   const RestartPolicy::Decision next = policy.on_death(now_ms, start_ms);
//   if (next.gives_up) close_listener(); start_at(now_ms + next.pause_ms);
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace lab {

/// At once, after 0.1 s, 1 s and 5 s. The fifth death within 10 s is a crash loop: the worker gives
/// up its clients to the others and is tried every 5 s, until it has lived for 10 s.
class RestartPolicy {
 public:
  static constexpr std::size_t deaths_max = 5;  ///< so many make a crash loop
  static constexpr std::uint64_t window_ms =
      10'000;                                      ///< within this time; and so long it has to live
  static constexpr std::uint64_t retry_ms = 5000;  ///< from one try to the next in a crash loop

  /// What follows a death.
  struct Decision {
    std::uint64_t pause_ms;  ///< from the death to the next start
    bool gives_up;           ///< it is in a crash loop
    bool again;              ///< it was, and has not lived long enough since
  };

  /// @param now_ms the death; start_ms: when that process was started
  Decision on_death(std::uint64_t now_ms, std::uint64_t start_ms) {
    std::erase_if(deaths_ms_, [&](std::uint64_t death) { return now_ms - death > window_ms; });
    deaths_ms_.push_back(now_ms);
    on_trial_ = on_trial_ && now_ms - start_ms <= window_ms;
    if (on_trial_ || deaths_ms_.size() >= deaths_max) {
      deaths_ms_.clear();
      const bool again = on_trial_;
      on_trial_ = true;
      return {.pause_ms = retry_ms, .gives_up = true, .again = again};
    }
    return {.pause_ms = pauses_ms[deaths_ms_.size() - 1], .gives_up = false, .again = false};
  }

 private:
  static constexpr std::array<std::uint64_t, deaths_max - 1> pauses_ms{0, 100, 1000, 5000};

  std::vector<std::uint64_t> deaths_ms_;  ///< those of the last window_ms
  bool on_trial_ = false;  ///< True from a crash loop until it has lived for window_ms
};

}  // namespace lab
