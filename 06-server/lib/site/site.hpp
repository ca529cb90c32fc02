// A worker's site: the newest generation for what is asked from now on, and those before it that
// answers still read.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "01-core/lib/assert.hpp"
#include "06-server/lib/site/generation.hpp"

namespace lab {

/// @code
///   const Found found = site.find(path);          // in one turn:
///   Segment pin = site.pin();                     // what find() gave stays while it lives
///   ...
///   io.send(site.segment(variant.body));          // each segment pins its own generation
/// @endcode
/// Lifetime: outlives its segments. For one thread.
class Site {
 public:
  /// REQUIRES first != nullptr.
  explicit Site(std::unique_ptr<Generation> first) {
    generations_.reserve(generations_max + 1);
    generations_.push_back(std::move(first));
    LAB_ASSERT(generations_.back() != nullptr);
  }

  const Generation& current() const noexcept { return *generations_.back(); }
  Found find(std::string_view decoded_path) const noexcept { return current().find(decoded_path); }
  std::string_view common_fields() const noexcept { return current().common_fields(); }
  std::string_view preflight_fields() const noexcept { return current().preflight_fields(); }

  /// A segment without bytes: while it lives, so does everything that the newest generation gave.
  Segment pin() noexcept { return generations_.back()->segment({}); }
  /// @param bytes of any generation that is alive
  Segment segment(std::span<const std::byte> bytes) noexcept {
    if (bytes.empty()) return {};
    for (const auto& generation : generations_) {
      if (generation->contains(bytes.data())) return generation->segment(bytes);
    }
    LAB_ASSERT(!"bytes of no generation");
    return {};
  }

  /// From now on find() answers from `next`.
  /// @return false, and `next` is dropped, when clients that do not read hold too many old ones.
  /// REQUIRES next != nullptr
  bool replace(std::unique_ptr<Generation> next) {
    LAB_ASSERT(next != nullptr);
    collect();
    if (generations_.size() == generations_max) return false;
    generations_.push_back(std::move(next));
    collect();
    return true;
  }

  /// Drops old generations that nobody reads. Unmapping a large one takes milliseconds: call it
  /// once a tick, not in a hook.
  void collect() noexcept {
    const auto old_end = generations_.end() - 1;
    generations_.erase(std::remove_if(generations_.begin(), old_end,
                                      [](const auto& generation) { return generation->at_rest(); }),
                       old_end);
  }

  std::size_t generations() const noexcept { return generations_.size(); }

 private:
  static constexpr std::size_t generations_max = 4;

  std::vector<std::unique_ptr<Generation>> generations_;  // the newest is the last
};

}  // namespace lab
