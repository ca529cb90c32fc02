// Judges the exercise of 02-files/14-cp-again: six parts of a download become one file, on a disk
// that moves at most 1000 bytes at a time. Nobody edits this file.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string>

#include "01-core/lesson.hpp"
#include "01-core/lib/ring.hpp"
#include "02-files/lib/fd.hpp"
#include "02-files/lib/file_table.hpp"

namespace check {

inline constexpr unsigned parts_count = 6;
inline constexpr unsigned slots = 2;          // in the ring's table
inline constexpr unsigned block_size = 4096;  // the memory that a carrier has
inline constexpr unsigned moved_max = 1000;   // bytes, by one read or write of this disk

struct Part {
  std::string path;
  std::uint64_t offset = 0;  // where it begins in the whole file
};

// What is to be done: the parts, and the file that they become.
struct Download {
  std::array<Part, parts_count> parts;
  lab::Fd whole;
  unsigned taken = 0;

  /// The next part that nobody has taken, or null.
  const Part* next_part() noexcept { return taken < parts_count ? &parts[taken++] : nullptr; }
};

struct Watched {
  int whole = -1;
  std::uint64_t sync = 0;  // the user_data of the sync, once it was submitted
  unsigned syncs = 0;
  bool synced = false;  // its CQE has come
  bool saved = false;
};
inline Watched watched;

// Part 0 is aaa..., part 1 bbb...; a byte says where it belongs. None is a multiple of 1000 long.
inline std::string content(unsigned part) {
  return std::string(1500 + 1710 * part, static_cast<char>('a' + part));
}

/// The slot that an open has brought.
inline lab::FileSlot opened(const Part& part, lab::Cqe cqe) {
  if (cqe.res == -ENFILE) {
    lab::fail(part.path.substr(part.path.rfind('/') + 1) +
                  " cannot be opened: both slots of the table are in use",
              "a slot is taken until its close has its CQE (YOUR TURN 2)");
  }
  return lab::FileSlot(static_cast<unsigned>(lab::need(cqe.res, "open")));
}

inline void compare(const char* when) {
  unsigned begin = 0;
  for (unsigned part = 0; part < parts_count; ++part) {
    const std::string wanted = content(part);
    std::string found(wanted.size(), '\0');
    lab::need_errno(static_cast<int>(pread(watched.whole, found.data(), found.size(), begin)),
                    "pread");
    const auto place = std::mismatch(found.begin(), found.end(), wanted.begin()).first;
    if (place != found.end()) {
      lab::fail(std::string(when) + ", part " + std::to_string(part) + " is right up to byte " +
                    std::to_string(place - found.begin()) + " of " + std::to_string(found.size()),
                "this disk moves at most 1000 bytes at a time: read until res is 0, write until "
                "all is written, each at its own offset (YOUR TURN 1). The sync comes after the "
                "last write of the last part (YOUR TURN 3)");
    }
    begin += static_cast<unsigned>(wanted.size());
  }
}

/// To be called once, when the file would survive a power cut.
inline void saved() {
  if (!watched.synced) {
    lab::fail("saved() was called, and no sync has ended: a power cut now would lose the file",
              "an Fsync, and saved() in its handler (YOUR TURN 3)");
  }
  watched.saved = true;
}

// Cuts reads and writes short, as a disk may, and looks at the file when a sync is submitted.
inline int enter(void*, lab::Ring& ring, unsigned to_submit, unsigned wait_for) noexcept {
  const io_uring& raw = *ring.raw();
  for (unsigned head = *raw.sq.khead; head != *raw.sq.ktail; ++head) {
    io_uring_sqe& sqe = raw.sq.sqes[head & raw.sq.ring_mask];
    if (sqe.opcode == IORING_OP_READ || sqe.opcode == IORING_OP_WRITE) {
      sqe.len = std::min(sqe.len, moved_max);
    }
    if (sqe.opcode != IORING_OP_FSYNC) continue;
    compare("when the sync was submitted");
    watched.sync = sqe.user_data;
    ++watched.syncs;
  }
  const unsigned flags =
      IORING_ENTER_GETEVENTS | (ring.registered_fd() ? IORING_ENTER_REGISTERED_RING : 0U);
  const int res =
      io_uring_enter(static_cast<unsigned>(raw.enter_ring_fd), to_submit, wait_for, flags, nullptr);
  for (unsigned head = *raw.cq.khead; head != *raw.cq.ktail; ++head) {
    const io_uring_cqe& cqe = raw.cq.cqes[head & raw.cq.ring_mask];
    if (watched.syncs > 0 && cqe.user_data == watched.sync) watched.synced = true;
  }
  return res;
}

inline std::uint64_t now_ns(void*) noexcept {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(time.tv_nsec);
}

inline lab::Fd make(const std::string& path, const std::string& bytes) {
  constexpr int flags = O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC;
  lab::Fd file(lab::need_errno(open(path.c_str(), flags, 0600), "open"));
  lab::need_errno(static_cast<int>(write(file.get(), bytes.data(), bytes.size())), "write");
  return file;
}

struct SlotProbe {
  lab::Ring& ring;
  int res = 0;
  void on_close(lab::Cqe cqe) noexcept { res = cqe.res; }
  lab::Bind<lab::CloseSlot, &SlotProbe::on_close> close{*this};
};

inline void look_at_slots(lab::Ring& ring) {
  SlotProbe probe{.ring = ring};
  for (unsigned slot = 0; slot < slots; ++slot) {
    probe.close.start(ring, lab::FileSlot(slot));
    while (probe.close.armed()) ring.run_once();
    if (probe.res == -EBADF) continue;
    lab::fail("at the end slot " + std::to_string(slot) + " is still open",
              "the last part's slot goes back as well (YOUR TURN 2)");
  }
}

/// @tparam Saver made with (Ring&, Download&); start() begins, and the loop is here
template <class Saver>
int judge(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  lab::Ring ring;
  lesson.watch(*ring.raw());
  lab::FileTable table(ring, slots);
  ring.replace_kernel({&enter, &now_ns, nullptr});
  Download download;
  std::uint64_t offset = 0;
  for (unsigned index = 0; index < parts_count; ++index) {
    Part& part = download.parts[index];
    part = {lab::temporary_folder() + "/part " + std::to_string(index), offset};
    offset += content(index).size();
    make(part.path, content(index));
  }
  download.whole = make(lab::temporary_folder() + "/whole", "");
  watched.whole = download.whole.get();
  std::printf("%u parts, %u slots, at most %u bytes at a time\n", parts_count, slots, moved_max);

  Saver saver(ring, download);
  saver.start();
  while (ring.armed_count() > 0) ring.run_once();

  compare("at the end");
  if (!watched.saved) {
    lab::fail("all parts are in the file, and nobody was told: saved() was never called",
              "start the sync when the last part is done (YOUR TURN 3)");
  }
  if (watched.syncs != 1) {
    lab::fail(std::to_string(watched.syncs) + " syncs, and one is enough",
              "count the parts that are done (YOUR TURN 3)");
  }
  look_at_slots(ring);
  std::printf("one file of %llu bytes, one sync, and both slots are empty\n",
              static_cast<unsigned long long>(offset));
  return lab::ok();
}

}  // namespace check
