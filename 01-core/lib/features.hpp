// What this kernel can do, tried and not guessed from its version: a distribution may have taken a
// feature in earlier, a sandbox may have taken it away.
//   const Features features = Features::detect();
//   if (features.has(Feature::timer_multishot)) timer.start_multishot(ring, tick_ns);
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>

namespace lab {

/// In the order in which ./lab doctor lists them.
enum class Feature : unsigned char {
  ring,                 ///< SINGLE_ISSUER | DEFER_TASKRUN | SUBMIT_ALL | CQSIZE
  file_table,           ///< a sparse table of direct descriptors
  buffer_ring,          ///< provided buffers in a shared ring
  accept_direct,        ///< multishot accept into the file table
  recv_multishot,       ///< multishot receive from a buffer ring
  cancel,               ///< cancel by user_data
  send_zero_copy,       ///< SEND_ZC
  registered_fd,        ///< the ring's own fd registered
  message_ring,         ///< messages between rings
  zero_copy_report,     ///< the notification says whether it was copied
  timer_multishot,      ///< one SQE for every tick
  no_sqarray,           ///< no index array in front of the SQEs
  slot_options,         ///< socket options of a direct descriptor
  install_fd,           ///< an ordinary fd for a direct descriptor
  recv_retry_limit,     ///< a multishot receive leaves room for others after 32 buffers
  slot_release,         ///< a closed slot lets its file go at once
  recv_total,           ///< a multishot receive ends after so many bytes
  recv_bundle,          ///< a receive takes several buffers a completion
  incremental_buffers,  ///< a buffer consumed piece by piece
  min_wait,             ///< wait a little for more completions
  count                 ///< how many there are; no feature
};

/// What is known about a feature before anything is tried.
struct FeatureInfo {
  const char* name;   ///< its enumerator with hyphens: "recv-retry-limit", a word for --without
  const char* since;  ///< the Linux release that brought it
  const char* use;    ///< what the server does with it, and without it
  bool required;      ///< the capstone does not start without it
};

/// The outcome of trying each feature once, on a ring and loopback sockets of its own.
class Features {
 public:
  /// Tries all of them; takes some milliseconds. Never throws for a missing feature.
  static Features detect();

  /// True when trying it worked.
  bool has(Feature feature) const noexcept { return error(feature) == 0; }

  /// 0 when it works, otherwise the errno that trying it gave.
  int error(Feature feature) const noexcept { return errors_[static_cast<std::size_t>(feature)]; }

  /// The first required feature that is missing, or Feature::count.
  Feature missing() const noexcept;

  /// Its name and what it is for. REQUIRES: feature is not Feature::count.
  static const FeatureInfo& info(Feature feature) noexcept;

  /// For tests of the fallbacks: as if trying it had given this errno.
  void pretend(Feature feature, int error) noexcept {
    errors_[static_cast<std::size_t>(feature)] = error;
  }

 private:
  std::array<int, static_cast<std::size_t>(Feature::count)> errors_{};
};

/// The cause and the cure when io_uring_setup itself fails with `error`, for people.
std::string explain_setup_error(int error);

/// "6.18.1-amd64", as uname(2) says.
std::string kernel_release();

}  // namespace lab
