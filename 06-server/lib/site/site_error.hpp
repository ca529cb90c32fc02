// Why a site cannot be served, in words: what is wrong, and what cures it.
#pragma once

#include <stdexcept>

namespace lab {

/// The folder, a file in it or the memory for it is not as it must be. what() is a whole message:
/// cause and cure.
class SiteError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace lab
