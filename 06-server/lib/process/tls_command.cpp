#include "06-server/lib/process/tls_command.hpp"

#include <exception>

#include "05-performance/bench/say.hpp"
#include "06-server/lib/process/explain.hpp"

namespace lab {

TlsCommand::TlsCommand(ServerCommand& command, const std::vector<std::string>& alpn)
    : command_(command) {
  options_.alpn = alpn;
  CommandLine& line = command.line();
  const std::string group = "TLS";
  line.add_option("--tls-cert", options_.certificates,
                  "PEM file with a certificate, and behind it those that vouch for it. Again, with "
                  "a --tls-key each: the client gets the one for the name it asks for, or the "
                  "first. SIGHUP "
                  "reads the files anew")
      .allow_extra_args(false)
      .group(group);
  line.add_option("--tls-key", options_.keys, "PEM file with the key of that certificate")
      .allow_extra_args(false)
      .group(group);
  line.add_choice("--tls", use_, {{"self-signed", Use::self_signed}},
                  "self-signed: without files, a certificate for localhost is made, and the log "
                  "says its fingerprint")
      .group(group);
  line.add_option_function(
          "--tls-min",
          [this](const std::string& word) {
            version_min_ = word == "1.3" ? TlsVersion::tls_1_3 : TlsVersion::tls_1_2;
          },
          "The lowest version that is spoken: 1.2 or 1.3")
      .type_name("VERSION")
      .default_str("1.2")
      .check(one_of({"1.2", "1.3"}))
      .group(group);
  line.add_option("--tls-client-ca", options_.client_ca,
                  "PEM file with authorities: clients must show a certificate of one of them")
      .check(not_empty())
      .group(group);
  line.add_flag("--tls-strict-sni", options_.strict_sni,
                "Refuse clients that ask for a name which no certificate has, or for none")
      .group(group);
}

bool TlsCommand::start() {
  if (const std::string wrong = complaint(); !wrong.empty()) command_.refuse(wrong);
  options_.self_signed = use_ == Use::self_signed;
  options_.version_min = version_min_.value_or(TlsVersion::tls_1_2);
  if (options_.certificates.empty() && !options_.self_signed) return false;
  try {
    source_.emplace(options_);
  } catch (const std::exception& error) {
    command_.fail(explain(error));
  }
  counters_ = command_.add_counters(TlsCounters::infos());
  if (options_.self_signed) {
    complain("{}: self-signed certificate for localhost, SHA-256 fingerprint {}",
             command_.options().supervisor.name, context()->fingerprint());
  } else {
    command_.reload_with(source_->reload());
  }
  return true;
}

// What is wrong with the options together; empty: nothing.
std::string TlsCommand::complaint() const {
  const std::size_t certificates = options_.certificates.size();
  const std::size_t keys = options_.keys.size();
  if (certificates > keys) {
    return "--tls-cert: " + options_.certificates[keys] +
           " has no key. Cure: one --tls-key for each --tls-cert, in the same order";
  }
  if (keys > certificates) {
    return "--tls-key: " + options_.keys[certificates] +
           " has no certificate. Cure: one --tls-cert for each --tls-key, in the same order";
  }
  if (use_ == Use::self_signed && certificates > 0) {
    return "--tls self-signed: there are certificates in files, too. Cure: the one or the other";
  }
  const bool details = version_min_ || !options_.client_ca.empty() || options_.strict_sni;
  if (details && certificates == 0 && use_ != Use::self_signed) {
    return "--tls-min, --tls-client-ca and --tls-strict-sni mean nothing without a certificate. "
           "Cure: --tls-cert and --tls-key, or --tls self-signed for a first try";
  }
  return {};
}

}  // namespace lab
