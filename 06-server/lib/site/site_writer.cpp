#include "06-server/lib/site/site_writer.hpp"

#include <algorithm>
#include <bit>
#include <map>

#include "06-server/lib/site/content_hash.hpp"
#include "06-server/lib/site/head_fields.hpp"

namespace lab {

namespace {

class Writer {
 public:
  Writer(const SitePlan& plan, SiteArena& arena) : plan_(plan), arena_(arena) {}

  void run() {
    add_resources();
    add_routes();
    SiteHeader header{.magic = site_magic,
                      .common_fields = text(plan_.common_fields),
                      .preflight_fields = text(plan_.preflight_fields),
                      .missing_page = plan_.missing_page,
                      .fallback_page = plan_.fallback_page,
                      .files = plan_.files};
    // All texts lie in one piece, which lies where the arena's next piece will.
    place_texts();
    header.common_fields.offset += texts_at_;
    header.preflight_fields.offset += texts_at_;
    header.resources = table(resources_);
    header.variants = table(variants_);
    header.routes = table(routes_);
    header.streamed = table(plan_.stamps);
    header.size = arena_.size();
    arena_.write(0, std::as_bytes(std::span(&header, 1)));
  }

 private:
  // An offset in texts_, until place_texts().
  Stretch text(const std::string& words) {
    if (words.empty()) return {};
    const auto [found, is_new] = placed_.try_emplace(words, texts_.size());
    if (is_new) texts_ += words;
    return {.offset = found->second, .size = words.size()};
  }

  void add_resources() {
    for (const PlannedResource& resource : plan_.resources) {
      const bool negotiable = resource.variants.size() > 1;
      resources_.push_back({.first_variant = static_cast<std::uint32_t>(variants_.size()),
                            .variant_count = static_cast<std::uint32_t>(resource.variants.size()),
                            .modified_s = resource.modified_s,
                            .negotiable = negotiable});
      for (const PlannedVariant& variant : resource.variants) {
        add_variant(resource, variant, negotiable);
      }
    }
  }

  void add_variant(const PlannedResource& resource, const PlannedVariant& variant,
                   bool negotiable) {
    const std::string etag = etag_of(variant.body.hash);
    const bool validators = resource.has_validators;
    const HeadFacts facts{
        .type = resource.type,
        .coding = variant.coding,
        .etag = validators ? std::string_view(etag) : std::string_view{},
        .modified_s = validators ? resource.modified_s : 0,
        .vary = resource.varies_by_accept ? (negotiable ? "Accept, Accept-Encoding" : "Accept")
                : negotiable              ? "Accept-Encoding"
                                          : "",
        .cache_control = resource.cache_control,
    };
    variants_.push_back({.body = {.offset = variant.body.offset, .size = variant.body.size},
                         .etag = text(etag),
                         .fields = text(head_fields(facts, plan_.common_fields)),
                         .fields_304 = text(head_fields_304(facts, plan_.common_fields)),
                         .streamed = variant.body.streamed,
                         .coding = static_cast<std::uint32_t>(variant.coding)});
  }

  void add_routes() {
    routes_.resize(std::bit_ceil(std::max<std::size_t>(plan_.routes.size(), 1) * 2));
    for (const PlannedRoute& route : plan_.routes) {
      const std::uint64_t hash = path_hash(route.path);
      std::size_t place = hash & (routes_.size() - 1);
      while (routes_[place].path.size != 0) place = (place + 1) & (routes_.size() - 1);
      routes_[place] = {.path = text(route.path),
                        .hash = hash,
                        .location = text(route.location),
                        .resource = route.resource,
                        .has_pages = route.has_pages};
    }
  }

  void place_texts() {
    texts_at_ = arena_.append(std::as_bytes(std::span(texts_)));
    for (VariantRecord& variant : variants_) {
      variant.etag.offset += texts_at_;
      variant.fields.offset += texts_at_;
      variant.fields_304.offset += texts_at_;
    }
    for (RouteRecord& route : routes_) {
      route.path.offset += texts_at_;
      route.location.offset += texts_at_;
    }
  }

  template <class Record>
  Stretch table(const std::vector<Record>& records) {
    return {.offset = arena_.append(std::as_bytes(std::span(records))), .size = records.size()};
  }

  const SitePlan& plan_;
  SiteArena& arena_;
  std::string texts_;
  std::map<std::string, std::uint64_t> placed_;
  std::uint64_t texts_at_ = 0;
  std::vector<ResourceRecord> resources_;
  std::vector<VariantRecord> variants_;
  std::vector<RouteRecord> routes_;
};

}  // namespace

void write_tables(const SitePlan& plan, SiteArena& arena) { Writer(plan, arena).run(); }

}  // namespace lab
