#include "06-server/lib/protocol/http/accept_encoding.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "06-server/lib/protocol/http/http_text.hpp"

namespace lab {
namespace {

constexpr std::uint32_t full_weight = 1000;

std::optional<Coding> coding_named(std::string_view name) noexcept {
  if (equals_ignoring_case(name, "identity")) return Coding::identity;
  if (equals_ignoring_case(name, "gzip")) return Coding::gzip;
  if (equals_ignoring_case(name, "x-gzip")) return Coding::gzip;  // RFC 9110, 8.4.1.3
  if (equals_ignoring_case(name, "br")) return Coding::brotli;
  if (equals_ignoring_case(name, "zstd")) return Coding::zstd;
  return std::nullopt;
}

// qvalue: "0" or "1", and up to three digits after a point, which are zeros after the 1.
std::optional<std::uint16_t> weight_of(std::string_view text) noexcept {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return std::nullopt;
  std::uint32_t weight = text[0] == '1' ? full_weight : 0;
  text.remove_prefix(1);
  if (!text.empty() && text[0] != '.') return std::nullopt;
  std::uint32_t place = 100;
  for (const char c : text.substr(text.empty() ? 0 : 1)) {
    if (!is_digit(c)) return std::nullopt;
    weight += static_cast<std::uint32_t>(c - '0') * place;
    place /= 10;
  }
  return weight <= full_weight ? std::optional(static_cast<std::uint16_t>(weight)) : std::nullopt;
}

// "gzip" or "gzip ; q=0.5"
std::optional<std::uint16_t> weight_of_member(std::string_view parameter) noexcept {
  if (parameter.empty()) return static_cast<std::uint16_t>(full_weight);
  parameter = trimmed(parameter.substr(1));
  if (parameter.size() < 2 || lower(parameter[0]) != 'q' || parameter[1] != '=')
    return std::nullopt;
  return weight_of(parameter.substr(2));
}

}  // namespace

void AcceptedCodings::add(std::string_view value) noexcept {
  for (std::string_view member = next_member(value); !member.empty(); member = next_member(value)) {
    const std::size_t end = std::min(member.find(';'), member.size());
    const std::string_view name = trimmed(member.substr(0, end));
    const auto weight = weight_of_member(member.substr(end));
    if (!weight) continue;
    if (name == "*") {
      others_ = *weight;
    } else if (const auto coding = coding_named(name)) {
      weights_[static_cast<std::size_t>(*coding)] = *weight;
    }
  }
}

std::uint32_t AcceptedCodings::weight(Coding coding) const noexcept {
  // The scale is twice as fine as qvalues are, so that an unnamed identity comes behind the least.
  constexpr std::uint32_t last_choice = 1;
  std::uint32_t said = weights_[static_cast<std::size_t>(coding)];
  if (said == unsaid) said = others_;
  if (said != unsaid) return said * 2;
  return coding == Coding::identity ? last_choice : 0;
}

const Variant* choose_variant(std::span<const Variant> variants,
                              const AcceptedCodings& accepted) noexcept {
  const Variant* best = nullptr;
  std::uint32_t best_weight = 0;
  for (const Variant& variant : variants) {
    const std::uint32_t weight = accepted.weight(variant.coding);
    if (weight == 0 || weight < best_weight) continue;
    if (weight == best_weight && best != nullptr && variant.size >= best->size) continue;
    best = &variant;
    best_weight = weight;
  }
  if (best != nullptr) return best;
  const bool has_identity = !variants.empty() && variants.front().coding == Coding::identity;
  return has_identity ? &variants.front() : nullptr;
}

}  // namespace lab
