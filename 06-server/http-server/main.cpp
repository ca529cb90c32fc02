// A web server for a folder of files: HTTP/1.1 and 1.0, over TLS too, from memory, on the engine of
// the echo.
#include <cstdio>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "06-server/http-server/access_log_command.hpp"
#include "06-server/http-server/http_options.hpp"
#include "06-server/http-server/site_source.hpp"
#include "06-server/lib/process/explain.hpp"
#include "06-server/lib/process/log_writer.hpp"
#include "06-server/lib/process/serve.hpp"
#include "06-server/lib/process/tls_command.hpp"
#include "06-server/lib/protocol/http/http_static.hpp"
#include "06-server/lib/protocol/tls/tls.hpp"
#include "06-server/lib/site/site.hpp"
#include "06-server/lib/site/site_parcel.hpp"

namespace {

using Http = lab::HttpStatic<lab::Site>;
using Https = lab::Tls<Http>;

#ifndef LAB_WITHOUT_IO_URING
static_assert(sizeof(lab::Connection<Http>) <= 1024);
static_assert(sizeof(lab::Connection<Https>) <= 1408);
#endif

struct HasSite {
  lab::Site site;
  lab::HttpCounters counted;
  std::optional<lab::AccessLog> log;
  std::optional<lab::LogWriter> writer;
};

// What a worker's connections share. Made in each worker; the site's memory is there once for all.
// P is Http, or Https with its context before the rest.
template <class P, class... Context>
class WorkerSite : HasSite, public P::Shared {
 public:
  WorkerSite(const lab::HttpOptions& options, std::unique_ptr<lab::Generation> first,
             lab::HttpCounters counters, Context... context)
      : HasSite{.site = lab::Site(std::move(first)), .counted = counters, .log = {}, .writer = {}},
        P::Shared(std::move(context)..., options, HasSite::site, counters) {}

  void log_to(const lab::AccessLogCommand& command) {
    if (!command.wanted()) return;
    HasSite::log.emplace(command.options(), HasSite::counted.lines_lost());
    HasSite::writer.emplace(HasSite::log->lines(), command.descriptor());
    if constexpr (requires { this->inner; }) {
      this->inner.log_to(*HasSite::log);
    } else {
      P::Shared::log_to(*HasSite::log);
    }
  }
  void on_ring(lab::Ring& ring) noexcept {
    if (HasSite::writer) HasSite::writer->begin(ring);
  }

  // Something that was read anew. What cannot be taken leaves the old one in place.
  void on_parcel(lab::Reload::Kind kind, lab::Fd parcel) noexcept {
    if (kind == lab::Reload::Kind::site) return take_site(std::move(parcel));
    if (kind == lab::Reload::Kind::access_log) return HasSite::writer->replace(std::move(parcel));
    if constexpr (requires { this->tls; }) lab::take_certificates(this->tls, parcel);
  }

 private:
  void take_site(lab::Fd parcel) noexcept {
    try {
      HasSite::site.replace(std::make_unique<lab::Generation>(lab::unpack_site(parcel)));
    } catch (const std::exception&) {
      HasSite::counted.parcels_refused().add(1);
    }
  }
};

// What works in another terminal, whoever vouches for the certificate.
// @param path one that is there: a folder need not have an index
std::string curl_words(const lab::TlsContext* context, const std::string& path) {
  if (context == nullptr) return "try: curl -i http://{}" + path;
  const lab::TlsOptions& tls = context->options();
  const std::string host = context->host();
  const std::string client = tls.client_ca.empty() ? "" : " --cert CERTIFICATE --key KEY";
  if (tls.self_signed || host.empty()) return "try: curl -ik https://{}" + path + client;
  return "try: curl -i --connect-to ::{} https://" + host + path + client;
}

}  // namespace

int main(int argc, char** argv) {
  lab::ServerCommand command({
      .name = "http-server",
      .description =
          "Serves a folder over HTTP/1.1 on io_uring, from memory: one pinned process per core, "
          "one copy of the site for all.\n\n"
          "Try it:   http-server ~/site            then, elsewhere:   curl -i localhost:8080/\n"
          "With TLS: http-server ~/site --tls self-signed   then:   curl -ik "
          "https://localhost:8080/\n"
          "Asked for several ranges that do not join into one it sends the whole file: 200.\n"
          "The log names a path that is there, where the folder has no index.\n"
          "Load it:  wrk -c 64 -d 10 http://127.0.0.1:8080/   (package wrk)\n"
          "Stop it:  Ctrl-C drains, a second one stops at once.",
      .port = 8080,
      .on_hangup = "SIGHUP reads the folder and the files of --tls-cert anew while it serves.",
      .on_usr1 = "SIGUSR1 opens the file of --access-log anew",
  });
  lab::HttpServerOptions options;
  lab::add_http_options(command.line(), options);
  const lab::CounterPlace counters = command.add_counters(lab::HttpCounters::infos());
  lab::AccessLogCommand log(command, counters);
  lab::TlsCommand tls(command, {"http/1.1"});
  command.parse(argc, argv);
  lab::check_http_options(command.line(), options);
  lab::take_words(options);
  command.use_pooled_buffers(options.answer_buffers, options.answer_buffer_bytes);

  log.start();
  const bool over_tls = tls.start();
  std::optional<lab::SiteSource> source;
  try {
    source.emplace(options.site, options.watch, command.kept_open());
  } catch (const std::bad_alloc&) {
    command.fail("no memory for the site. Cure: a smaller --memory-limit-file streams more files");
  } catch (const std::exception& error) {
    command.fail(lab::explain(error));
  }
  command.reload_with(source->reload());
  command.hint(curl_words(tls.context().get(), source->example_path()));
  std::fprintf(stderr, "http-server: %s\n", source->describe().c_str());
  const bool alone = command.options().supervisor.topology == lab::Topology::reuseport;
  const auto first_site = [&source, alone] { return alone ? source->take() : source->copy(); };
  if (over_tls) {
    using Site = WorkerSite<Https, std::shared_ptr<const lab::TlsContext>>;
    return lab::serve<Https>(command, [&](std::span<lab::Counter> of_worker) {
      auto site = std::make_unique<Site>(options.http, first_site(),
                                         lab::HttpCounters(counters.of(of_worker)), tls.context());
      site->tls.counters = tls.counters(of_worker);
      site->log_to(log);
      return site;
    });
  }
  return lab::serve<Http>(command, [&](std::span<lab::Counter> of_worker) {
    auto site = std::make_unique<WorkerSite<Http>>(options.http, first_site(),
                                                   lab::HttpCounters(counters.of(of_worker)));
    site->log_to(log);
    return site;
  });
}
