// A web server for a folder of files: HTTP/1.1 and 1.0, from memory, on the engine of the echo.
#include <cstdio>
#include <memory>
#include <optional>

#include "06-server/http-server/http_options.hpp"
#include "06-server/lib/process/serve.hpp"
#include "06-server/lib/protocol/http/http_static.hpp"
#include "06-server/lib/site/generation.hpp"
#include "06-server/lib/site/site_builder.hpp"
#include "06-server/lib/site/site_error.hpp"
#include "06-server/lib/site/site_progress.hpp"

namespace {

using Http = lab::HttpStatic<lab::Generation>;

static_assert(sizeof(lab::Connection<Http>) <= 1024);

struct SiteState {
  lab::HttpCounters counted;
  lab::SiteGeneration<lab::Generation> current;
};

// What a worker's connections share. Made in each worker, around the one copy of the site.
struct WorkerSite : SiteState, Http::Shared {
  WorkerSite(const lab::HttpOptions& options, const lab::Generation& generation)
      : SiteState{.counted = {}, .current = lab::SiteGeneration<lab::Generation>(generation)},
        Http::Shared(options, current, counted) {}
};

}  // namespace

int main(int argc, char** argv) {
  lab::ServerCommand command({
      .name = "http-server",
      .description =
          "Serves a folder over HTTP/1.1 on io_uring, from memory: one pinned process per core, "
          "one "
          "copy of the site for all.\n\n"
          "Try it:   http-server ~/site            then, elsewhere:   curl -i localhost:8080/\n"
          "Load it:  wrk -c 64 -d 10 http://127.0.0.1:8080/\n"
          "Stop it:  Ctrl-C drains, a second one stops at once.",
      .port = 8080,
  });
  lab::HttpServerOptions options;
  lab::add_http_options(command.line(), options);
  command.parse(argc, argv);

  std::optional<lab::Generation> site;
  try {
    lab::SiteProgress progress("http-server");
    site.emplace(lab::build_site(options.site, progress.reporter()));
  } catch (const lab::SiteError& error) {
    command.fail(error.what());
  } catch (const std::bad_alloc&) {
    command.fail("no memory for the site. Cure: a smaller --memory-limit-file streams more files");
  }
  options.http.fields = {.generated = site->common_fields(), .options = site->preflight_fields()};
  command.kept_open() = site->descriptors();
  std::fprintf(stderr, "http-server: %llu files of %s, %.1f MB in memory\n",
               static_cast<unsigned long long>(site->files_count()), options.site.root.c_str(),
               static_cast<double>(site->size()) / 1e6);

  return lab::serve<Http>(command,
                          [&] { return std::make_unique<WorkerSite>(options.http, *site); });
}
