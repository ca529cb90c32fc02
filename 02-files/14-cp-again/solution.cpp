// Six parts of a download become one file that survives a power cut: two carriers copy part after
// part, and the one that ends the last part starts the sync.
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

  void on_part_done() noexcept {
    if (++parts_done == check::parts_count) {
      sync.start(ring, download.whole, lab::Fsync::What::data);
    }
  }
  void on_sync(lab::Cqe cqe) noexcept {
    lab::need(cqe.res, "fsync");
    check::saved();
  }
  lab::Bind<lab::Fsync, &Shared::on_sync> sync{*this};
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
    done_ = 0;
    read();
  }

  void read() noexcept { read_.start(shared_.ring, slot_, {.memory = memory_, .offset = done_}); }

  void on_read(lab::Cqe cqe) noexcept {
    if (lab::need(cqe.res, "read") == 0) return close_.start(shared_.ring, slot_);
    unwritten_ = std::span<const std::byte>(memory_).first(static_cast<std::size_t>(cqe.res));
    write();
  }

  void write() noexcept {
    write_.start(shared_.ring, shared_.download.whole,
                 {.bytes = unwritten_, .offset = part_->offset + done_});
  }

  void on_write(lab::Cqe cqe) noexcept {
    const auto written = static_cast<std::size_t>(lab::need(cqe.res, "write"));
    unwritten_ = unwritten_.subspan(written);
    done_ += written;
    if (unwritten_.empty()) return read();
    write();
  }

  void on_close(lab::Cqe cqe) noexcept {
    lab::need(cqe.res, "close");
    shared_.on_part_done();
    take_next_part();
  }

  Shared& shared_;
  const check::Part* part_ = nullptr;
  lab::FileSlot slot_{};
  std::uint64_t done_ = 0;                // bytes of the part that are in the whole file
  std::span<const std::byte> unwritten_;  // of the block
  std::array<std::byte, check::block_size> memory_{};
  lab::Bind<lab::Open, &Carrier::on_open> open_{*this};
  lab::Bind<lab::Read, &Carrier::on_read> read_{*this};
  lab::Bind<lab::Write, &Carrier::on_write> write_{*this};
  lab::Bind<lab::CloseSlot, &Carrier::on_close> close_{*this};
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
