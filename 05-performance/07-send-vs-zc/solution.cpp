// shows: the kernel's own reports decide, and a few tries keep them coming
// needs: nothing of the kernel: the CQEs are made by hand
// try:   compare it with yours
#include <bit>
#include <cstdint>

#include "05-performance/07-send-vs-zc/check.hpp"

namespace {

/// Zero copy or not, send by send. It begins with zero copy, stops when most reports say "copied",
/// tries again with one large send in some hundreds, and comes back when the reports are good.
class Rule {
 public:
  /// Asked before each send of `bytes`.
  bool zero_copy(unsigned bytes) {
    if (bytes < check::size_min) return false;
    const bool good = std::popcount(last_reports_) < 6;
    if (good) return true;
    // Who stops sending this way gets no reports. A try brings one.
    return ++large_sends_ % 500 == 0;
  }

  /// Gets every CQE of every zero-copy send.
  void on_cqe(const io_uring_cqe& cqe) {
    if ((cqe.flags & IORING_CQE_F_NOTIF) == 0) return;
    const bool copied = (static_cast<unsigned>(cqe.res) & IORING_NOTIF_USAGE_ZC_COPIED) != 0;
    last_reports_ = static_cast<std::uint8_t>((last_reports_ << 1) | (copied ? 1 : 0));
  }

 private:
  std::uint8_t last_reports_ = 0;  // one bit each, the newest is the lowest; 1 is "copied"
  unsigned large_sends_ = 0;       // while it is off
};

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  return check::judge<Rule>();
}
