#include "05-performance/ringload/talk.hpp"

#include <algorithm>
#include <cstring>

#include "05-performance/ringload/pattern_block.hpp"

namespace lab {

Talk::Talk(std::size_t size, std::size_t window_max)
    : sizes_{{.question = size, .answer = size, .question_place = 0, .answer_place = 0}},
      answer_size_max_(size),
      echo_(true) {
  const PatternBlock pattern(0);
  const std::span<const std::byte> bytes = pattern.window(0, PatternBlock::period);
  said_.bytes.assign(bytes.begin(), bytes.end());
  said_.close(window_max);
  heard_ = said_;
}

Talk::Talk(const std::vector<Exchange>& exchanges, std::size_t window_max) {
  for (const Exchange& exchange : exchanges) {
    sizes_.push_back({.question = exchange.question.size(),
                      .answer = exchange.answer.size(),
                      .question_place = said_.bytes.size(),
                      .answer_place = heard_.bytes.size()});
    answer_size_max_ = std::max(answer_size_max_, exchange.answer.size());
    if (exchange.changing_size > 0) {
      changing_.push_back(
          {.begin = heard_.bytes.size() + exchange.changing_begin, .size = exchange.changing_size});
    }
    said_.bytes.insert(said_.bytes.end(), exchange.question.begin(), exchange.question.end());
    heard_.bytes.insert(heard_.bytes.end(), exchange.answer.begin(), exchange.answer.end());
  }
  said_.close(window_max);
  heard_.close(window_max);
}

void Talk::Circle::close(std::size_t window_max) {
  period = bytes.size();
  bytes.resize(period + window_max);
  for (std::size_t place = period; place < bytes.size(); ++place) {
    bytes[place] = bytes[place - period];
  }
}

Talk::Start Talk::start(std::uint64_t connection) const noexcept {
  if (echo_) {
    const std::size_t place = PatternBlock::first_place(connection);
    return {.turn = 0, .question_place = place, .answer_place = place};
  }
  const auto turn = static_cast<std::uint32_t>(connection % sizes_.size());
  return {.turn = turn,
          .question_place = sizes_[turn].question_place,
          .answer_place = sizes_[turn].answer_place};
}

bool Talk::hears(std::size_t place, std::span<const std::byte> bytes) noexcept {
  if (std::memcmp(heard_.bytes.data() + place, bytes.data(), bytes.size()) == 0) return true;
  return !changing_.empty() && take_change(place, bytes);
}

// A second has passed, or something is wrong. What may change is taken as it came, for every lap of
// the circle; what lies between is compared. One window can hold answers of two seconds.
bool Talk::take_change(std::size_t place, std::span<const std::byte> bytes) noexcept {
  const std::size_t end = place + bytes.size();
  std::size_t compared = place;
  const auto same_until = [&](std::size_t until) {
    return std::memcmp(heard_.bytes.data() + compared, bytes.data() + (compared - place),
                       until - compared) == 0;
  };
  for (std::size_t lap = 0; lap < end; lap += heard_.period) {
    for (const Changing& changing : changing_) {
      const std::size_t from = std::max(place, lap + changing.begin);
      const std::size_t to = std::min(end, lap + changing.begin + changing.size);
      if (from >= to) continue;
      if (!same_until(from)) return false;
      for (std::size_t at = from; at < to; ++at) {
        for (std::size_t copy = at % heard_.period; copy < heard_.bytes.size();
             copy += heard_.period) {
          heard_.bytes[copy] = bytes[at - place];
        }
      }
      compared = to;
    }
  }
  return same_until(end);
}

}  // namespace lab
