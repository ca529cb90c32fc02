// Six parts of a download become one file that survives a power cut. As it is, each part is copied
// with one read and one write, no slot is ever given back, and nothing is synced. Combine what
// 02-04, 02-08, 02-11 and this lesson taught.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "02-files/14-cp-again/check.hpp"
#include "02-files/lib/fsync.hpp"
#include "02-files/lib/open.hpp"
#include "02-files/lib/read.hpp"
#include "02-files/lib/write.hpp"

namespace {

// What the two carriers share: the job, and its end.
struct Shared {
  lab::Ring& ring;
  check::Download& download;
  unsigned parts_done = 0;

  // YOUR TURN 3 (02-11): two carriers are under way. When may an Fsync start, and when is saved()
  // true? The operation is a field, as those of a carrier are.
  void on_part_done() noexcept {
    if (++parts_done == check::parts_count) check::saved();
  }
};

// Copies a part, and then the next one that nobody has taken.
class Carrier {
 public:
  explicit Carrier(Shared& shared) : shared_(shared) {}

  void take_next_part() noexcept {
    part_ = shared_.download.next_part();
    if (part_ != nullptr) open_.start_direct(shared_.ring, part_->path.c_str(), {});
  }

 private:
  void on_open(lab::Cqe cqe) noexcept {
    slot_ = check::opened(*part_, cqe);
    read();
  }

  void read() noexcept { read_.start(shared_.ring, slot_, {.memory = memory_, .offset = 0}); }

  // YOUR TURN 1 (02-04): a read brings what it can, 0 at the end of the part; a write takes what it
  // can. What has to be remembered between two CQEs?
  void on_read(lab::Cqe cqe) noexcept {
    const auto filled = static_cast<std::size_t>(lab::need(cqe.res, "read"));
    write_.start(
        shared_.ring, shared_.download.whole,
        {.bytes = std::span<const std::byte>(memory_).first(filled), .offset = part_->offset});
  }

  void on_write(lab::Cqe cqe) noexcept {
    lab::need(cqe.res, "write");
    // YOUR TURN 2 (02-08): the table has two slots, and there are six parts. lab::CloseSlot is an
    // operation like the others. When may the next part be opened?
    shared_.on_part_done();
    take_next_part();
  }

  Shared& shared_;
  const check::Part* part_ = nullptr;
  lab::FileSlot slot_{};
  std::array<std::byte, check::block_size> memory_{};
  lab::Bind<lab::Open, &Carrier::on_open> open_{*this};
  lab::Bind<lab::Read, &Carrier::on_read> read_{*this};
  lab::Bind<lab::Write, &Carrier::on_write> write_{*this};
};

class Saver {
 public:
  Saver(lab::Ring& ring, check::Download& download) : shared_{.ring = ring, .download = download} {}

  void start() noexcept {
    for (Carrier& carrier : carriers_) carrier.take_next_part();
  }

 private:
  Shared shared_;
  std::array<Carrier, check::slots> carriers_{Carrier(shared_), Carrier(shared_)};
};

}  // namespace

int main(int argc, char** argv) { return check::judge<Saver>(argc, argv); }
