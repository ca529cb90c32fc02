#include "06-server/lib/protocol/metrics/metrics_source.hpp"

#include <algorithm>

namespace lab {

namespace {

constexpr std::string_view metrics_fields =
    "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\nCache-Control: no-store\r\n";
constexpr std::string_view health_fields =
    "Content-Type: text/plain\r\nCache-Control: no-store\r\n";

std::span<const std::byte> bytes_of(std::string_view text) noexcept {
  return std::as_bytes(std::span(text));
}

Variant variant_of(std::string_view text, std::string_view fields) noexcept {
  return {.size = text.size(), .body = bytes_of(text), .fields = fields};
}

}  // namespace

MetricsSource::MetricsSource(const SharedStats& stats, std::span<const CounterInfo> infos,
                             std::size_t workers)
    : SegmentOwner(
          SegmentKind::stable,
          [](SegmentOwner& self, std::uint32_t id) noexcept {
            ++static_cast<MetricsSource&>(self).readings_[id].readers;
          },
          [](SegmentOwner& self, std::uint32_t id) noexcept {
            --static_cast<MetricsSource&>(self).readings_[id].readers;
          }),
      stats_(stats),
      infos_(infos),
      workers_(workers),
      values_(infos.size() * workers),
      healthy_(variant_of("ok\n", health_fields)),
      health_({.variants = {&healthy_, 1}}) {
  // No number is longer than the largest: what this text takes is enough for each that follows.
  std::fill(values_.begin(), values_.end(), ~std::uint64_t{0} / workers);
  std::string longest;
  append_metrics(longest, {.infos = infos_, .values = values_});
  const std::size_t digits = std::size_t{4} * values_.size();  // a sum may have some more
  for (Reading& reading : readings_) {
    reading.text.reserve(longest.size() + digits);
    reading.resource.variants = {&reading.variant, 1};
  }
}

Found MetricsSource::find(std::string_view decoded_path) noexcept {
  latest_ = nobody;
  if (decoded_path == "/metrics") return find_metrics();
  if (decoded_path != "/healthz") return {};
  if (!anybody_serves()) return {.kind = Found::Kind::unavailable};
  return {.kind = Found::Kind::file, .resource = &health_};
}

// All readings are taken where clients do not read what they asked for.
Found MetricsSource::find_metrics() noexcept {
  const auto free = std::find_if(readings_.begin(), readings_.end(),
                                 [](const Reading& reading) { return reading.readers == 0; });
  if (free == readings_.end()) return {.kind = Found::Kind::unavailable};
  read_all();
  free->text.clear();
  append_metrics(free->text, {.infos = infos_, .values = values_});
  free->variant = variant_of(free->text, metrics_fields);
  latest_ = static_cast<std::size_t>(free - readings_.begin());
  return {.kind = Found::Kind::file, .resource = &free->resource};
}

void MetricsSource::read_all() noexcept {
  for (std::size_t worker = 0; worker < workers_; ++worker) {
    for (std::size_t index = 0; index < infos_.size(); ++index) {
      values_[worker * infos_.size() + index] = stats_.get(worker, index);
    }
  }
}

bool MetricsSource::anybody_serves() const noexcept {
  for (std::size_t worker = 0; worker < workers_; ++worker) {
    if (stats_[worker].get(Stat::serving) != 0) return true;
  }
  return false;
}

Segment MetricsSource::pin() noexcept {
  if (latest_ == nobody) return {};
  ++readings_[latest_].readers;
  return {*this, static_cast<std::uint32_t>(latest_), {}};
}

Segment MetricsSource::segment(std::span<const std::byte> bytes) noexcept {
  for (std::size_t index = 0; index < readings_.size(); ++index) {
    const auto text = bytes_of(readings_[index].text);
    if (bytes.data() < text.data() || bytes.data() >= text.data() + text.size()) continue;
    ++readings_[index].readers;
    return {*this, static_cast<std::uint32_t>(index), bytes};
  }
  return Segment::stable(bytes);
}

}  // namespace lab
