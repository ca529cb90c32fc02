// What the manual says, tried on this kernel: manual-claims --help teaches its use.
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "05-performance/bench/command_line.hpp"
#include "docs/manual-claims/claim.hpp"
#include "docs/manual-claims/probe.hpp"

namespace {

using claims::Claim;
using claims::Outcome;
using claims::Verdict;

constexpr const char* description =
    R"(manual-claims: sentences of io_uring's manual, each tried on this kernel.

Each check makes a small ring, does what the sentence is about, and looks whether the kernel
does what it says. The report is Markdown. A claim that does not hold is no mistake of the
kernel: pages grow old, and kernels change.)";

constexpr const char* examples = R"(
Examples:
  manual-claims
      The report on stdout.
  manual-claims --output manual-claims.md
      The same into a file.
  manual-claims --check
      Only what differs from the verdicts this program expects.

Exit code: 0 done; 1 a verdict differs (--check); 2 wrong flags; 77 no ring can be made.)";

struct Options {
  std::string output;
  bool check = false;
};

struct Group {
  const char* title;
  std::span<const Claim> claims;
};

struct Tried {
  const Claim* claim;
  Verdict verdict;
  std::string seen;
};

const char* word(Verdict verdict) {
  if (verdict == Verdict::holds) return "HOLDS";
  return verdict == Verdict::does_not_hold ? "DOES NOT HOLD" : "NOT HERE";
}

std::vector<Group> groups() {
  return {{"Set-up", claims::setup_claims()},
          {"Submitting and completing", claims::submit_claims()},
          {"Timeouts", claims::timeout_claims()},
          {"Links", claims::link_claims()},
          {"Cancelling", claims::cancel_claims()},
          {"Network, multishot, provided buffers, messages", claims::network_claims()},
          {"Registration", claims::registration_claims()}};
}

Tried attempt(const Claim& claim) {
  if (claim.is_here != nullptr && !claim.is_here()) return {&claim, Verdict::not_here, "-"};
  const Outcome outcome = claim.check();
  return {&claim, outcome.holds ? Verdict::holds : Verdict::does_not_hold, outcome.seen};
}

/// "6.18", as uname(2) says.
std::string kernel() {
  utsname system{};
  uname(&system);
  const std::string release = system.release;
  const std::size_t first = release.find('.');
  return release.substr(0, release.find_first_not_of("0123456789", first + 1));
}

bool as_expected(const Tried& tried) {
  if (tried.verdict == Verdict::not_here) return true;
  const std::string here = kernel();
  const std::string others = fmt::format(" {} ", tried.claim->differs_on);
  const bool same = tried.verdict == tried.claim->expected;
  if (others == "  " || here == claims::recorded_on) return same;
  if (others.find(" " + here + " ") != std::string::npos) return !same;
  return true;  // never seen there, and kernels differ
}

constexpr const char* heading_text =
    R"(# The manual's claims against this kernel

Written by `manual-claims` on Linux {} ({}, {} processors). Of {} claims of liburing 2.15's manual
pages {} hold, {} do not hold, and {} need a feature that is not here.

A claim is told in our words. "Seen" is what this kernel answered: a result, or `user_data: result`
for several requests, in the order of their CQEs. A claim that does not hold is no mistake of the
kernel: pages grow old, some contradict each other, and kernels change. "Differs on" names kernels
on which the other verdict was seen when this program was written: it ran on 6.1, 6.12, 6.18 and
7.2.

To run it yourself: `cmake --build build/release --target manual-claims`, then
`build/release/bin/manual-claims`.
)";

std::string heading(const std::vector<std::vector<Tried>>& all) {
  std::size_t counts[3]{};
  for (const auto& group : all) {
    for (const Tried& tried : group) ++counts[static_cast<std::size_t>(tried.verdict)];
  }
  utsname system{};
  uname(&system);
  const std::string release = system.release;
  return fmt::format(heading_text, release.substr(0, release.find('-')), system.machine,
                     sysconf(_SC_NPROCESSORS_ONLN), counts[0] + counts[1] + counts[2], counts[0],
                     counts[1], counts[2]);
}

std::string table_head(const char* title) {
  return fmt::format(
      "\n## {}\n\n| the manual says | where | tried | seen | |\n| --- | --- | --- | --- | --- |\n",
      title);
}

std::string row(const Tried& tried) {
  const char* mark = tried.verdict == Verdict::does_not_hold ? "**" : "";
  const std::string others = tried.claim->differs_on;
  return fmt::format("| {} | {} | {} | {} | {}{}{}{} |\n", tried.claim->says, tried.claim->page,
                     tried.claim->tried, tried.seen, mark, word(tried.verdict), mark,
                     others.empty() ? "" : "; differs on " + others);
}

std::string report(const std::vector<Group>& groups, const std::vector<std::vector<Tried>>& all) {
  std::string text = heading(all) + table_head("What does not hold");
  for (const auto& group : all) {
    for (const Tried& tried : group) {
      if (tried.verdict == Verdict::does_not_hold) text += row(tried);
    }
  }
  for (std::size_t i = 0; i < groups.size(); ++i) {
    text += table_head(groups[i].title);
    for (const Tried& tried : all[i]) {
      if (tried.verdict != Verdict::does_not_hold) text += row(tried);
    }
  }
  return text;
}

int check(const std::vector<std::vector<Tried>>& all) {
  std::size_t count = 0;
  std::size_t ran = 0;
  std::size_t different = 0;
  for (const auto& group : all) {
    for (const Tried& tried : group) {
      ++count;
      if (tried.verdict != Verdict::not_here) ++ran;
      if (as_expected(tried)) continue;
      ++different;
      fmt::print("FAIL: {}: \"{}\": {} instead of {}; tried: {}; seen: {}\n", tried.claim->page,
                 tried.claim->says, word(tried.verdict), word(tried.claim->expected),
                 tried.claim->tried, tried.seen);
    }
  }
  fmt::print("{} claims, {} tried, {} with another verdict than expected\n", count, ran, different);
  return different == 0 ? 0 : 1;
}

Options parse_options(int argc, char** argv) {
  Options options;
  lab::CommandLine line("manual-claims", description);
  line.footer(examples);
  const lab::CommandOption output =
      line.add_option("-o,--output", options.output, "Write the report there");
  line.add_flag("--check", options.check, "Compare with the expected verdicts, print no report")
      .excludes(output);
  line.parse(argc, argv);
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse_options(argc, argv);
  const int made = claims::Probe().made();
  if (made != 0) {
    fmt::print("SKIP: no ring can be made here: {}. ./lab doctor says why\n", claims::name(made));
    return 77;
  }
  const std::vector<Group> all_groups = groups();
  std::vector<std::vector<Tried>> all;
  for (const Group& group : all_groups) {
    std::vector<Tried> tried;
    for (const Claim& claim : group.claims) tried.push_back(attempt(claim));
    all.push_back(std::move(tried));
  }
  if (options.check) return check(all);
  std::FILE* file = options.output.empty() ? stdout : std::fopen(options.output.c_str(), "we");
  if (file == nullptr) {
    fmt::print(stderr, "manual-claims: {} cannot be written\n", options.output);
    return 2;
  }
  fmt::print(file, "{}", report(all_groups, all));
  if (file != stdout) std::fclose(file);
  return 0;
}
