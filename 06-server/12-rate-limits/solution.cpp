// A table with four entries says who may ask: ten a second, five at once after a pause. All that it
// compares is how early somebody is, so its clock may wrap.
#include "06-server/12-rate-limits/check.hpp"

std::int64_t early(const Entry& entry, std::uint64_t now) {
  return static_cast<std::int64_t>(entry.due - now);
}

bool admit(Bucket& bucket, unsigned client, std::uint64_t now) {
  Entry* entry = nullptr;
  for (Entry& one : bucket) {
    if (one.client == client) entry = &one;
  }
  if (entry == nullptr) {
    entry = &bucket[0];
    for (Entry& one : bucket) {
      if (entry->client == 0) break;
      if (one.client == 0 || early(one, now) < early(*entry, now)) entry = &one;
    }
    *entry = {client, now};
  }
  if (early(*entry, now) > static_cast<std::int64_t>(early_max)) return false;
  if (early(*entry, now) < 0) entry->due = now;
  entry->due += interval;
  return true;
}

int main(int argc, char** argv) { return check::run(argc, argv); }
