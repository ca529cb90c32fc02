#include "tests/server/worker_thread.hpp"

namespace lab {

const Features& all_features() {
  static const Features features = Features::detect();
  return features;
}

}  // namespace lab
