#include "tests/server/all_features.hpp"

namespace lab {

const Features& all_features() {
  static const Features features = Features::detect();
  return features;
}

}  // namespace lab
