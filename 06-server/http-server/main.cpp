// A web server for a folder of files: HTTP/1.1 and 1.0, from memory, on the engine of the echo.
#include <cstdio>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <utility>

#include "06-server/http-server/http_options.hpp"
#include "06-server/http-server/site_source.hpp"
#include "06-server/lib/process/explain.hpp"
#include "06-server/lib/process/serve.hpp"
#include "06-server/lib/protocol/http/http_static.hpp"
#include "06-server/lib/site/site.hpp"
#include "06-server/lib/site/site_parcel.hpp"

namespace {

using Http = lab::HttpStatic<lab::Site>;

static_assert(sizeof(lab::Connection<Http>) <= 1024);

struct HasSite {
  lab::Site site;
};

// What a worker's connections share. Made in each worker; the site's memory is there once for all.
class WorkerSite : HasSite, public Http::Shared {
 public:
  WorkerSite(const lab::HttpOptions& options, std::unique_ptr<lab::Generation> first,
             lab::HttpCounters counters)
      : HasSite{.site = lab::Site(std::move(first))},
        Http::Shared(options, HasSite::site, counters) {}

  // A generation that was built anew. What cannot be taken leaves the old one in place.
  void on_parcel(lab::Fd parcel) noexcept {
    try {
      HasSite::site.replace(std::make_unique<lab::Generation>(lab::unpack_site(parcel)));
    } catch (const std::exception&) {
      counters().parcels_refused().add(1);
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  lab::ServerCommand command({
      .name = "http-server",
      .description =
          "Serves a folder over HTTP/1.1 on io_uring, from memory: one pinned process per core, "
          "one copy of the site for all.\n\n"
          "Try it:   http-server ~/site            then, elsewhere:   curl -i localhost:8080/\n"
          "Load it:  wrk -c 64 -d 10 http://127.0.0.1:8080/\n"
          "Stop it:  Ctrl-C drains, a second one stops at once.",
      .port = 8080,
      .reloads = "the folder",
  });
  lab::HttpServerOptions options;
  lab::add_http_options(command.line(), options);
  const lab::CounterPlace counters = command.add_counters(lab::HttpCounters::infos());
  command.parse(argc, argv);
  lab::check_http_options(command.line(), options);
  lab::take_words(options);

  std::optional<lab::SiteSource> source;
  try {
    source.emplace(options.site, command.kept_open());
  } catch (const std::bad_alloc&) {
    command.fail("no memory for the site. Cure: a smaller --memory-limit-file streams more files");
  } catch (const std::exception& error) {
    command.fail(lab::explain(error));
  }
  command.reload_with(source->reload());
  std::fprintf(stderr, "http-server: %s\n", source->describe().c_str());
  return lab::serve<Http>(command, [&](std::span<lab::Counter> of_worker) {
    return std::make_unique<WorkerSite>(options.http, source->take(),
                                        lab::HttpCounters(counters.of(of_worker)));
  });
}
