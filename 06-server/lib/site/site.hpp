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
    generations_.reserve(generations_max);
    generations_.push_back(std::move(first));
    LAB_ASSERT(generations_.back() != nullptr);
  }

  /// The newest generation. Valid until the next replace() or collect().
  const Generation& current() const noexcept { return *generations_.back(); }
  /// The newest generation's answer. What it points to lives as long as a pin() does.
  Found find(std::string_view decoded_path) const noexcept { return current().find(decoded_path); }
  /// The newest generation's: Generation::common_fields().
  std::string_view common_fields() const noexcept { return current().common_fields(); }
  /// The newest generation's: Generation::preflight_fields().
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

  /// From now on find() answers from `next`; or, where clients that do not read hold too many old
  /// ones, as soon as one of those is given up. Of several that wait only the newest is kept.
  /// @return false when it waits
  /// REQUIRES next != nullptr
  bool replace(std::unique_ptr<Generation> next) {
    LAB_ASSERT(next != nullptr);
    waiting_ = std::move(next);
    collect();
    return waiting_ == nullptr;
  }

  /// Drops old generations that nobody reads. Unmapping a large one takes milliseconds: call it
  /// once a tick, not in a hook.
  void collect() noexcept {
    drop_old();
    if (waiting_ == nullptr || generations_.size() == generations_max) return;
    generations_.push_back(std::move(waiting_));
    drop_old();
  }

  /// Generations that are alive: the newest, and those that somebody still reads.
  std::size_t generations() const noexcept { return generations_.size(); }

 private:
  static constexpr std::size_t generations_max = 4;

  void drop_old() noexcept {
    const auto old_end = generations_.end() - 1;
    generations_.erase(std::remove_if(generations_.begin(), old_end,
                                      [](const auto& generation) { return generation->at_rest(); }),
                       old_end);
  }

  std::vector<std::unique_ptr<Generation>> generations_;  // the newest is the last
  std::unique_ptr<Generation> waiting_;                   // newer than those
};

}  // namespace lab
