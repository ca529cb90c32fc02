// A client of an echo server noted what it sent and what came back. Each of the three faults leaves
// a mark of its own.
#include <algorithm>

#include "03-network/08-broken-echo/check.hpp"

// The client sent the blocks 1, 2, 3 ... up to `sent`.
Faults faults_in(const Transcript& seen) {
  Faults faults;
  faults.reordered = !std::is_sorted(seen.received.begin(), seen.received.end());
  faults.lost = seen.ended && static_cast<int>(seen.received.size()) < seen.sent;
  faults.starved = seen.neighbour_asked && !seen.neighbour_answered;
  return faults;
}

int main(int argc, char** argv) { return check::run(argc, argv); }
