// A table with four entries says who may ask: ten a second, five at once after a pause. As it is,
// it believes that its clock never wraps, lets nobody in who keeps knocking, and forgets anybody.
#include "06-server/12-rate-limits/check.hpp"

bool admit(Bucket& bucket, unsigned client, std::uint64_t now) {
  Entry* entry = nullptr;
  for (Entry& one : bucket) {
    if (one.client == client) entry = &one;
  }
  if (entry == nullptr) {
    // YOUR TURN 3: a free entry, or the one whose client has the least to be remembered for.
    entry = &bucket[0];
    *entry = {client, now};
  }
  // YOUR TURN 1: the clock begins at 0 again one day, and `due` may be past that while `now` is
  // not.
  const bool conforms = entry->due <= now + early_max;
  // YOUR TURN 2: which requests move the time on, and from where?
  entry->due += interval;
  return conforms;
}

int main(int argc, char** argv) { return check::run(argc, argv); }
