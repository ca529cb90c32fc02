// The table against a server:
//   http-cases --write-site DIR                                what the server has to serve
//   http-cases --cases FILE --connect HOST:PORT                exit 1 where an answer is wrong
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <map>
#include <string>

#include "tests/http/socket_run.hpp"
#include "tests/http/test_site.hpp"

namespace lab::test {
namespace {

struct Options {
  std::string write_site;
  std::string cases;
  std::string connect;
  std::string only;
  bool tls = false;
  unsigned patience_ms = 30'000;
};

int run(const Options& options) {
  ServerAddress server = parse_address(options.connect);
  server.tls = options.tls;
  std::map<std::string, std::string> tags;
  const auto find_tag = [&](const std::string& path, const std::string& coding) {
    std::string& tag = tags[path + ' ' + coding];
    if (tag.empty()) tag = ask_for_tag(server, path, coding, options.patience_ms);
    return tag;
  };
  unsigned count = 0;
  unsigned wrong = 0;
  for (const Case& wanted : read_cases(options.cases, find_tag)) {
    if (!options.only.empty() && wanted.name.substr(0, wanted.name.find('/')) != options.only)
      continue;
    ++count;
    const auto differences = compare(wanted, run_over_socket(server, wanted, options.patience_ms));
    if (differences.empty()) continue;
    ++wrong;
    std::printf("%s %s\n", wanted.name.c_str(), wanted.title.c_str());
    for (const std::string& difference : differences) std::printf("  %s\n", difference.c_str());
  }
  if (count == 0) throw std::runtime_error("no case is named \"" + options.only + "\"");
  std::printf("%u of %u cases are answered as they should be\n", count - wrong, count);
  return wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace lab::test

int main(int argc, char** argv) {
  lab::test::Options options;
  CLI::App app("What must be answered to what, asked of a server over sockets");
  auto* write = app.add_option("--write-site", options.write_site, "Write the site of the cases");
  auto* cases = app.add_option("--cases", options.cases, "The table: tests/http/cases.txt");
  auto* connect = app.add_option("--connect", options.connect, "HOST:PORT of the server");
  app.add_flag("--tls", options.tls, "Over TLS, whoever vouches for the server");
  app.add_option("--only", options.only, "One row, as A15");
  app.add_option("--patience-ms", options.patience_ms, "For one case; more than its timeouts");
  cases->needs(connect);
  connect->needs(cases)->excludes(write);
  CLI11_PARSE(app, argc, argv);
  try {
    if (!options.write_site.empty()) {
      lab::test::write_site(options.write_site);
      return 0;
    }
    if (!options.connect.empty()) return lab::test::run(options);
    std::fputs("http-cases: nothing to do. Cure: --write-site DIR, or --cases and --connect\n",
               stderr);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "http-cases: %s\n", error.what());
  }
  return 2;
}
