#include "06-server/lib/process/tls_source.hpp"

#include <exception>
#include <utility>

#include "06-server/lib/os/always_readable.hpp"
#include "06-server/lib/process/tls_parcel.hpp"

namespace lab {

TlsSource::TlsSource(const TlsOptions& options)
    : options_(options), always_readable_(always_readable()) {
  current_.contents = read_tls_contents(options_);
  current_.context = std::make_shared<TlsContext>(options_, current_.contents);
}

Reload TlsSource::reload() noexcept {
  const auto source = [](void* context) -> TlsSource& { return *static_cast<TlsSource*>(context); };
  static constexpr auto self = source;
  return {.kind = Reload::Kind::certificates,
          .context = this,
          .begin =
              [](void* context) {
                TlsSource& tls = self(context);
                Certificates& next = tls.next_;
                next.contents = read_tls_contents(tls.options_);
                next.context = std::make_shared<TlsContext>(tls.options_, next.contents,
                                                            tls.context()->ticket_keys());
                return tls.always_readable_.get();
              },
          .finish =
              [](void* context) {
                TlsSource& tls = self(context);
                tls.current_ = std::exchange(tls.next_, {});
                return "certificate with SHA-256 fingerprint " + tls.context()->fingerprint();
              },
          .parcel = [](void* context) { return pack_tls(self(context).current_.contents); }};
}

void take_certificates(TlsShared& shared, const Fd& parcel) noexcept {
  try {
    shared.context = std::make_shared<TlsContext>(shared.context->options(), unpack_tls(parcel),
                                                  shared.context->ticket_keys());
  } catch (const std::exception&) {
    shared.counters.parcels_refused().add(1);
  }
}

}  // namespace lab
