// shows: 01-03's three timers once more, on the component that this chapter has built
// needs: Linux 6.1
// try:   ./lab run 01-16-ring-batch_again
#include <cerrno>
#include <cstdio>

#include "01-core/lesson.hpp"
#include "01-core/lib/completion.hpp"
#include "01-core/lib/ring.hpp"

namespace {

// An operation is a Completion with a start(). It holds what its SQE points to.
class Nap : public lab::Completion {
 public:
  using Completion::Completion;

  void start(lab::Ring& ring, long long milliseconds) {
    time_.tv_nsec = milliseconds * 1'000'000;
    io_uring_sqe* sqe = ring.sqe();
    io_uring_prep_timeout(sqe, &time_, 0, 0);
    ring.arm(sqe, *this);
  }

  long long milliseconds() const { return time_.tv_nsec / 1'000'000; }

 private:
  __kernel_timespec time_{};
};

// Bind makes an answer a call of a member function: which of the three it was needs no look-up.
class Sleeper {
 public:
  void start(lab::Ring& ring, long long milliseconds) { nap_.start(ring, milliseconds); }

 private:
  void on_nap(lab::Cqe cqe) noexcept {
    if (cqe.res == -ETIME) std::printf("%lld ms\n", nap_.milliseconds());
  }

  lab::Bind<Nap, &Sleeper::on_nap> nap_{*this};
};

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  lab::Ring ring;
  lesson.watch(*ring.raw());

  Sleeper sleepers[3];
  sleepers[0].start(ring, 30);
  sleepers[1].start(ring, 10);
  sleepers[2].start(ring, 20);
  while (ring.armed_count() > 0) ring.run_once();
  return lab::ok();
}
