#include "06-server/lib/site/site_builder.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <ctime>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "05-performance/lib/core_thread.hpp"
#include "06-server/lib/os/available_memory.hpp"
#include "06-server/lib/site/compression.hpp"
#include "06-server/lib/site/head_fields.hpp"
#include "06-server/lib/site/mime_types.hpp"
#include "06-server/lib/site/parallel_for.hpp"
#include "06-server/lib/site/site_error.hpp"
#include "06-server/lib/site/site_parcel.hpp"
#include "06-server/lib/site/site_routes.hpp"
#include "06-server/lib/site/site_rules.hpp"
#include "06-server/lib/site/site_text.hpp"
#include "06-server/lib/site/site_variants.hpp"

namespace lab {

namespace {

constexpr std::uint64_t memory_limit_file_max = std::uint64_t{1} << 30;

// A part is left for connections, logs and rings.
std::uint64_t descriptors_for_files() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return std::min<std::uint64_t>(limit.rlim_max / 4 * 3, parcel_descriptors_max);
}

class Builder {
 public:
  Builder(const SiteOptions& options, const SiteReporter& reporter, const Generation* before)
      : options_(options),
        reporter_(reporter),
        before_(before),
        tree_(walk_site(options.root)),
        arena_(options.memory_limit != 0 ? options.memory_limit : available_memory()),
        loader_(
            tree_, arena_, std::min(options.memory_limit_file, memory_limit_file_max),
            options.streamed_files_max != 0 ? options.streamed_files_max : descriptors_for_files()),
        types_(options.mime_types) {}

  SiteFiles run() {
    for (const std::string& note : tree_.notes) reporter_.tell(note);
    load();
    SitePlan plan;
    plan_resources(plan);
    add_routes(options_, tree_, indexes_, plan);
    plan.common_fields = common_fields(options_);
    plan.preflight_fields = preflight_fields(options_);
    plan.stamps = loader_.stamps();
    plan.files = plan.resources.size();
    plan.missing_page = add_page(plan, options_.missing_page, "--404", false);
    plan.fallback_page = add_page(plan, options_.fallback_page, "--spa", true);
    write_tables(plan, arena_);
    SiteFiles files;
    files.streamed = loader_.take_streamed();
    files.memory = arena_.finish();
    return files;
  }

 private:
  void load() {
    loaded_.resize(tree_.files.size());
    parallel_for(
        tree_.files.size(), threads(),
        [&](std::size_t index) { loaded_[index] = loader_.load(tree_.files[index]); },
        [&](std::size_t done) {
          reporter_.tell_progress(SiteReporter::Step::reading, done, tree_.files.size());
        });
    if (std::none_of(loaded_.begin(), loaded_.end(), [](const auto& one) { return !!one; })) {
      throw SiteError(fmt::format(
          "the folder '{}' has no file to serve. Cure: put an {} into it; names that begin with a "
          "dot are not served",
          shown(options_.root), options_.index));
    }
  }

  void plan_resources(SitePlan& plan) {
    std::map<std::string_view, std::size_t> places;  // by path, of what was loaded
    for (std::size_t index = 0; index < loaded_.size(); ++index) {
      if (loaded_[index]) places.emplace(tree_.files[index].path, index);
    }
    std::vector<VariantSource> sources;
    for (std::size_t index = 0; index < loaded_.size(); ++index) {
      if (!loaded_[index]) continue;
      indexes_.emplace(tree_.files[index].path, sources.size());
      sources.push_back(source_of(index, places));
    }
    plan.resources.resize(sources.size());
    const SiteVariants variants(loader_, arena_, options_, before_);
    std::mutex mutex;
    std::vector<std::string> notes;
    parallel_for(
        sources.size(), threads(),
        [&](std::size_t index) {
          std::vector<std::string> own_notes;
          plan.resources[index] = resource_of(sources[index]);
          plan.resources[index].variants = variants.of(sources[index], own_notes);
          const std::lock_guard lock(mutex);
          notes.insert(notes.end(), own_notes.begin(), own_notes.end());
        },
        [&](std::size_t done) {
          reporter_.tell_progress(SiteReporter::Step::compressing, done, sources.size());
        });
    std::sort(notes.begin(), notes.end());
    for (const std::string& note : notes) reporter_.tell(note);
  }

  VariantSource source_of(std::size_t index,
                          const std::map<std::string_view, std::size_t>& places) const {
    const SourceFile& file = tree_.files[index];
    VariantSource source{.file = &file,
                         .loaded = &*loaded_[index],
                         .is_compressible = is_compressible(types_.of(name_of(file)))};
    for (const Coding coding : {Coding::gzip, Coding::brotli, Coding::zstd}) {
      const auto found = places.find(file.path + std::string(coding_suffix(coding)));
      if (found == places.end()) continue;
      source.sibling_files[static_cast<std::size_t>(coding)] = &tree_.files[found->second];
      source.siblings[static_cast<std::size_t>(coding)] = &*loaded_[found->second];
    }
    return source;
  }

  PlannedResource resource_of(const VariantSource& source) const {
    std::string type(types_.of(name_of(*source.file)));
    if (has_charset(type) && source.loaded->is_utf8) type += "; charset=utf-8";
    return {.type = std::move(type),
            .modified_s = last_modified(source.loaded->stamp),
            .cache_control = std::string(cache_control(options_.cache_rules, source.file->path))};
  }

  // Not later than now, RFC 9110 8.8.2.1. Reproducible builds set 0 or 1, which is no date: a new
  // content would have the old one's.
  std::int64_t last_modified(const FileStamp& stamp) const {
    const std::int64_t seconds = stamp.modified_ns / 1'000'000'000;
    return seconds <= 1 ? 0 : std::min<std::int64_t>(seconds, now_);
  }

  // The same bodies with lines of their own: what a page answers with under another's name must not
  // be kept as that other.
  std::uint32_t add_page(SitePlan& plan, const std::string& page, const char* option,
                         bool has_validators) const {
    if (page.empty()) return site_none;
    const std::string path = page.front() == '/' ? page : "/" + page;
    const auto found = indexes_.find(path);
    if (found == indexes_.end()) {
      throw SiteError(
          fmt::format("{}: the site has no file '{}'. Cure: name one by its path below "
                      "the folder, as in {} /index.html",
                      option, shown(path), option));
    }
    PlannedResource copy = plan.resources[found->second];
    copy.cache_control = "no-cache";
    copy.varies_by_accept = !options_.fallback_page.empty();
    copy.has_validators = has_validators;
    plan.resources.push_back(std::move(copy));
    return static_cast<std::uint32_t>(plan.resources.size() - 1);
  }

  static std::string_view name_of(const SourceFile& file) {
    return std::string_view(file.path).substr(file.path.rfind('/') + 1);
  }

  unsigned threads() const {
    return options_.threads != 0 ? options_.threads : static_cast<unsigned>(allowed_cpus().size());
  }

  const SiteOptions& options_;
  const SiteReporter& reporter_;
  const Generation* before_;
  const std::int64_t now_ = std::time(nullptr);
  SourceTree tree_;
  SiteArena arena_;
  SiteLoader loader_;
  MimeTypes types_;
  std::vector<std::optional<LoadedFile>> loaded_;  // as tree_.files
  ResourcesByPath indexes_;
};

}  // namespace

SiteFiles build_site(const SiteOptions& options, const SiteReporter& reporter,
                     const Generation* before) {
  return Builder(options, reporter, before).run();
}

}  // namespace lab
