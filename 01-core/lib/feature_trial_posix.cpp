#include "01-core/lib/feature_trial.hpp"

#include <cerrno>

namespace lab {

int try_feature(Feature) { return ENOSYS; }

}  // namespace lab
