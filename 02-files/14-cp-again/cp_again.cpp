// shows: 04-cp's copy on the component: what it bought, and what is still yours to do
// needs: Linux 6.1 (the component's Ring)
// try:   ./lab run 02-14 64 and ./lab run 02-04 64, in turns: compare the lines of figures
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>

#include "01-core/lesson.hpp"
#include "01-core/lib/ring.hpp"
#include "02-files/lib/fd.hpp"
#include "02-files/lib/huge_arena.hpp"
#include "02-files/lib/open.hpp"
#include "02-files/lib/read.hpp"
#include "02-files/lib/registered_buffers.hpp"
#include "02-files/lib/write.hpp"

namespace {

constexpr std::size_t block_size = 16 * 1024;

// What all blocks of a copy share.
struct Files {
  lab::Fd from, to;
  std::uint64_t size = 0, next = 0;
};

// One range of the file, in one piece of memory. Each kind of operation has its own object and its
// own handler, so no flag says what the answer belongs to.
class Block {
 public:
  Block(lab::Ring& ring, Files& files, std::span<std::byte> memory, int registered_buffer)
      : ring_(ring), files_(files), memory_(memory), registered_buffer_(registered_buffer) {}

  void take_next_range() {
    if (files_.next >= files_.size) return;
    offset_ = files_.next;
    end_ = std::min(offset_ + block_size, files_.size);
    files_.next = end_;
    read();
  }

 private:
  // [walk read]
  void read() {
    read_.start(ring_, files_.from,
                {.memory = memory_, .offset = offset_, .registered_buffer = registered_buffer_});
  }
  // [/walk]

  // [walk on-read]
  void on_read(lab::Cqe cqe) noexcept {
    filled_ = static_cast<std::size_t>(lab::need(cqe.res, "read"));
    if (filled_ == 0) lab::fail("the file has become shorter while it was copied");
    written_ = 0;
    write();
  }

  void write() {
    write_.start(ring_, files_.to,
                 {.bytes = memory_.subspan(written_, filled_ - written_),
                  .offset = offset_ + written_,
                  .registered_buffer = registered_buffer_});
  }
  // [/walk]

  // [walk on-write]
  // Short transfers are as normal as in 04-cp: no component knows what the rest of a range is.
  void on_write(lab::Cqe cqe) noexcept {
    written_ += static_cast<std::size_t>(lab::need(cqe.res, "write"));
    if (written_ < filled_) return write();
    offset_ += filled_;
    if (offset_ < end_) return read();
    take_next_range();
  }
  // [/walk]

  lab::Ring& ring_;
  Files& files_;
  std::span<std::byte> memory_;
  int registered_buffer_;
  std::uint64_t offset_ = 0;
  std::uint64_t end_ = 0;
  std::size_t filled_ = 0;
  std::size_t written_ = 0;
  // [walk fields]
  lab::Bind<lab::Read, &Block::on_read> read_{*this};
  lab::Bind<lab::Write, &Block::on_write> write_{*this};
  // [/walk]
};

class Copy {
 public:
  Copy(lab::Ring& ring, const lab::RegisteredBuffers& buffers, bool registered) : ring_(ring) {
    for (unsigned index = 0; index < buffers.count(); ++index) {
      const int name = registered ? static_cast<int>(index) : -1;
      blocks_.emplace_back(ring, files_, buffers.buffer(index), name);
    }
  }

  // [walk start]
  // The paths are read at submission, which is in run_once(): until then they have to live.
  void start(const char* from, const char* to) {
    open_from_.start(ring_, from, {.flags = O_RDONLY | O_CLOEXEC});
    open_to_.start(ring_, to, {.flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, .mode = 0600});
  }
  // [/walk]

 private:
  // [walk open]
  void on_open_from(lab::Cqe cqe) noexcept {
    files_.from = lab::Fd(lab::need(cqe.res, "open"));
    if (files_.to) start_blocks();
  }
  // [/walk]

  void on_open_to(lab::Cqe cqe) noexcept {
    files_.to = lab::Fd(lab::need(cqe.res, "open"));
    if (files_.from) start_blocks();
  }

  void start_blocks() {
    struct stat status {};
    lab::need_errno(fstat(files_.from.get(), &status), "fstat");
    files_.size = static_cast<std::uint64_t>(status.st_size);
    for (Block& block : blocks_) block.take_next_range();
  }

  lab::Ring& ring_;
  Files files_;
  std::deque<Block> blocks_;  // a vector would move them, and an armed operation may not move
  lab::Bind<lab::Open, &Copy::on_open_from> open_from_{*this};
  lab::Bind<lab::Open, &Copy::on_open_to> open_to_{*this};
};

// Without a name, so that even an abort leaves nothing behind. /proc leads to it.
lab::Fd make_file() {
  std::string path = std::filesystem::temp_directory_path() / "lab-XXXXXX";
  lab::Fd file(lab::need_errno(mkostemp(path.data(), O_CLOEXEC), path.c_str()));
  unlink(path.c_str());
  return file;
}

std::string path_of(const lab::Fd& file) { return "/proc/self/fd/" + std::to_string(file.get()); }

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, "[depth]: blocks in flight (default 8)");
  const auto depth = static_cast<unsigned>(lesson.argument(1, 8, 1, 256));
  std::string original;
  for (int number = 0; original.size() < 4'000'000; ++number) original += std::to_string(number);
  const lab::Fd from = make_file();
  const std::string from_path = path_of(from);
  std::ofstream(from_path, std::ios::binary) << original;

  const lab::HugeArena arena(depth * block_size);
  lab::Ring ring;
  lesson.watch(*ring.raw());
  const lab::RegisteredBuffers buffers(ring, arena.memory(), block_size);
  for (const bool registered : {false, true}) {
    const lab::Fd to = make_file();
    const std::string to_path = path_of(to);
    const auto before = ring.counters();
    const auto begin = std::chrono::steady_clock::now();
    {
      // [walk loop]
      Copy copy(ring, buffers, registered);
      copy.start(from_path.c_str(), to_path.c_str());
      while (ring.armed_count() > 0) ring.run_once();
      // [/walk]
    }
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    std::printf("# %s: %.1f ms, %lu operations, %lu system calls\n",
                registered ? "registered memory" : "plain memory", took.count(),
                ring.counters().submitted - before.submitted,
                ring.counters().enters - before.enters);
    std::printf("%s memory: the same bytes: %s\n", registered ? "registered" : "plain",
                contents(to_path) == original ? "yes" : "no");
  }
  return lab::ok();
}
