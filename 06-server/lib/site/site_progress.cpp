#include "06-server/lib/site/site_progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <string_view>
#include <utility>

namespace lab {

namespace {

std::uint64_t monotonic_ms() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

// Whoever reads it may be gone: progress is no reason to fail.
void say(const std::string& line) {
  static_cast<void>(!write(STDERR_FILENO, line.data(), line.size()));
}

}  // namespace

SiteProgress::SiteProgress(std::string program)
    : program_(std::move(program)), last_ms_(monotonic_ms()) {}

SiteReporter SiteProgress::reporter() noexcept {
  return {.progress =
              [](void* context, SiteReporter::Step step, std::size_t done, std::size_t total) {
                const std::string text =
                    static_cast<SiteProgress*>(context)->line(step, done, total, monotonic_ms());
                if (!text.empty()) say(text);
              },
          .note =
              [](void* context, std::string_view text) {
                say(fmt::format("{}: {}\n", static_cast<SiteProgress*>(context)->program_, text));
              },
          .context = this};
}

std::string SiteProgress::line(SiteReporter::Step step, std::size_t done, std::size_t total,
                               std::uint64_t now_ms) {
  constexpr std::uint64_t pause_ms = 1000;
  if (now_ms < last_ms_ + pause_ms) return {};
  last_ms_ = now_ms;
  return fmt::format("{}: {} {} of {} files\n", program_,
                     step == SiteReporter::Step::reading ? "read" : "compressed", done, total);
}

}  // namespace lab
