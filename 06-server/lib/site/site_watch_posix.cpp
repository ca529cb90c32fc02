#include "06-server/lib/site/site_watch.hpp"

namespace lab {

SiteWatch::SiteWatch(const std::string& root) : root_(root) {
  throw WatchError(
      "--watch: this program was built without io_uring and what else is Linux's, and so without "
      "inotify. Cure: reload with SIGHUP");
}

void SiteWatch::renew() {}

bool SiteWatch::changed() { return false; }

}  // namespace lab
