#include "06-server/http-server/site_source.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <utility>

#include "01-core/lib/check.hpp"
#include "06-server/lib/site/site_builder.hpp"
#include "06-server/lib/site/site_parcel.hpp"
#include "06-server/lib/site/site_text.hpp"

namespace lab {

namespace {

Fd duplicate(const Fd& fd) {
  return Fd(check_errno(fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1), "dup of the site"));
}

}  // namespace

SiteSource::SiteSource(const SiteOptions& options, bool watches, std::vector<int>& descriptors)
    : options_(options), descriptors_(descriptors) {
  if (watches) watch_.emplace(options.root);
  make_current(build_site(options_, progress_.reporter()));
}

void SiteSource::make_current(SiteFiles files) {
  current_ = std::make_unique<Generation>(std::move(files));
  descriptors_ = current_->descriptors();
}

std::unique_ptr<Generation> SiteSource::copy() const {
  const SiteFiles& all = current_->files();
  SiteFiles files{.memory = duplicate(all.memory), .streamed = {}};
  for (const Fd& streamed : all.streamed) files.streamed.push_back(duplicate(streamed));
  return std::make_unique<Generation>(std::move(files));
}

std::string SiteSource::describe() const {
  return fmt::format("{} files of {}, {:.1f} MB in memory", current_->files_count(), options_.root,
                     static_cast<double>(current_->size()) / 1e6);
}

std::string SiteSource::example_path() const {
  return encoded_path_for_shell(current_->example_path());
}

// What is not watched can still be built.
int SiteSource::begin() {
  try {
    if (watch_) watch_->renew();
  } catch (const WatchError& error) {
    progress_.reporter().tell(error.what());
  } catch (const SiteError&) {  // the build says it
  }
  build_.emplace(options_, progress_.reporter(), current_.get());
  return build_->fd();
}

Reload SiteSource::reload() noexcept {
  const auto source = [](void* context) -> SiteSource& {
    return *static_cast<SiteSource*>(context);
  };
  static constexpr auto self = source;
  Reload steps{.context = this,
               .begin = [](void* context) { return self(context).begin(); },
               .finish =
                   [](void* context) {
                     SiteSource& site = self(context);
                     SiteFiles files = site.build_->finish();
                     site.build_.reset();
                     site.make_current(std::move(files));
                     return site.describe();
                   },
               .parcel = [](void* context) { return pack_site(self(context).current_->files()); }};
  if (watch_) {
    steps.watch = [](void* context) { return self(context).watch_->fd(); };
    steps.changed = [](void* context) { return self(context).watch_->changed(); };
  }
  return steps;
}

}  // namespace lab
