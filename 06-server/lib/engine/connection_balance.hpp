// Which of several reactors gets the next connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace lab {

/// By what an acceptor chooses.
enum class ConnectionBalance : std::uint8_t {
  round_robin,  ///< one after the other
  fewest        ///< the one with the fewest open connections; of equal ones, the next
};

/// Remembers whose turn it is. It knows no ring.
class ReactorChoice {
 public:
  /// A reactor as the acceptor sees it.
  struct Candidate {
    std::uint32_t credits = 0;      ///< connections that it may be given
    bool awake = true;              ///< its loop runs
    std::uint64_t connections = 0;  ///< that it has, or that are on their way to it
  };

  explicit ReactorChoice(ConnectionBalance balance) noexcept : balance_(balance) {}

  /// One that sleeps gets a connection only where no other has a credit.
  /// REQUIRES: somebody has a credit.
  std::size_t pick(std::span<const Candidate> all) noexcept {
    std::size_t best = all.size();
    for (std::size_t step = 0; step < all.size(); ++step) {
      const std::size_t index = (next_ + step) % all.size();
      if (all[index].credits == 0) continue;
      if (best == all.size() || is_better(all[index], all[best])) best = index;
    }
    next_ = (best + 1) % all.size();
    return best;
  }

 private:
  bool is_better(const Candidate& one, const Candidate& than) const noexcept {
    if (one.awake != than.awake) return one.awake;
    return balance_ == ConnectionBalance::fewest && one.connections < than.connections;
  }

  ConnectionBalance balance_;
  std::size_t next_ = 0;
};

}  // namespace lab
