// A client of an echo server noted what it sent and what came back. Which faults does the server
// have? As it is, whatever looks different counts as everything at once.
#include "03-network/08-broken-echo/check.hpp"

// The client sent the blocks 1, 2, 3 ... up to `sent`.
Faults faults_in(const Transcript& seen) {
  Faults faults;
  std::vector<int> wanted;
  for (int block = 1; block <= seen.sent; ++block) wanted.push_back(block);
  // YOUR TURN 1: with a block missing, the others may still be in their order.
  faults.reordered = seen.received != wanted;
  // YOUR TURN 2: what is not there yet may still come, unless the connection has ended.
  faults.lost = seen.received != wanted;
  // YOUR TURN 3: whom does a starving neighbour hear from?
  faults.starved = false;
  return faults;
}

int main(int argc, char** argv) { return check::run(argc, argv); }
