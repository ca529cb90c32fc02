// cat on io_uring: into a pipe pages move without a copy; anywhere else, blocks are read ahead and
// written in order.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <exception>
#include <string>
#include <vector>

#include "01-core/lib/check.hpp"
#include "01-core/lib/ring.hpp"
#include "01-core/standard_fds.hpp"
#include "02-files/lib/fd.hpp"
#include "02-files/lib/huge_arena.hpp"
#include "02-files/lib/read.hpp"
#include "02-files/lib/splice.hpp"
#include "02-files/lib/write.hpp"
#include "05-performance/bench/command_line.hpp"
#include "05-performance/bench/operands.hpp"
#include "05-performance/bench/say.hpp"
#include "05-performance/files/copy_file.hpp"

namespace lab {

namespace {

constexpr std::size_t block_size = 128 * 1024;
constexpr unsigned blocks_max = 8;
constexpr unsigned pipe_size = 1 << 20;

/// Reads ahead at offsets where the source has them, else one read at a time from its position;
/// writes in order.
class ReadWrite {
 public:
  ReadWrite(Ring& ring, const Fd& to) : ring_(ring), to_(to) {
    for (unsigned block = 0; block < blocks_max; ++block) {
      blocks_.emplace_back(*this, memory_.memory().subspan(block * block_size, block_size));
    }
  }

  /// @return what went wrong first, when all that was in flight has ended
  FileError run(const Fd& from) {
    from_ = &from;
    const off_t position = lseek(from.get(), 0, SEEK_CUR);
    struct stat status {};
    at_offsets_ = position >= 0 && fstat(from.get(), &status) == 0 && has_offsets(status);
    next_offset_ = at_offsets_ ? static_cast<std::uint64_t>(position) : own_position;
    reader_ = writer_ = 0;
    reading_ = 0;
    written_ = 0;
    writing_ = ended_ = false;
    failure_ = {};
    go_on();
    while (ring_.armed_count() > 0) ring_.run_once();
    // Reading at offsets does not move the position, which whoever has the descriptor goes on from.
    if (at_offsets_) lseek(from.get(), position + written_, SEEK_SET);
    return failure_;
  }

 private:
  class Block {
   public:
    Block(ReadWrite& owner, std::span<std::byte> memory) : owner_(owner), memory_(memory) {}

    void read(std::uint64_t offset) noexcept {
      offset_ = offset;
      filled_ = written_ = 0;
      full_ = last_ = false;
      read_rest();
    }
    void write() noexcept {
      write_.start(owner_.ring_, owner_.to_,
                   {.bytes = memory_.subspan(written_, filled_ - written_)});
    }
    bool full() const noexcept { return full_; }

   private:
    void read_rest() noexcept {
      read_.start(owner_.ring_, *owner_.from_,
                  {.memory = memory_.subspan(filled_),
                   .offset = owner_.at_offsets_ ? offset_ + filled_ : own_position});
    }
    void on_read(Cqe cqe) noexcept;
    void on_write(Cqe cqe) noexcept;

    ReadWrite& owner_;
    std::span<std::byte> memory_;
    std::uint64_t offset_ = 0;
    std::size_t filled_ = 0;
    std::size_t written_ = 0;
    // True while what was read waits for its turn to be written, and while it is written.
    bool full_ = false;
    bool last_ = false;  ///< the source ended in it
    Bind<Read, &Block::on_read> read_{*this};
    Bind<Write, &Block::on_write> write_{*this};
  };

  void go_on() noexcept;

  Ring& ring_;
  const Fd& to_;
  HugeArena memory_{block_size * blocks_max};
  std::deque<Block> blocks_;
  const Fd* from_ = nullptr;
  bool at_offsets_ = false;
  std::uint64_t next_offset_ = 0;
  unsigned reader_ = 0;   ///< numbers of the next range to be read and to be written;
  unsigned writer_ = 0;   ///< the block is the number modulo blocks_max
  unsigned reading_ = 0;  ///< reads in flight
  off_t written_ = 0;     ///< bytes of this source
  bool writing_ = false;
  bool ended_ = false;
  FileError failure_;
};

void ReadWrite::go_on() noexcept {
  if (failure_.error != 0) return;
  const unsigned ahead = at_offsets_ ? blocks_max : 1;
  while (!ended_ && reading_ < ahead && reader_ - writer_ < blocks_max) {
    ++reading_;
    blocks_[reader_++ % blocks_max].read(next_offset_);
    if (at_offsets_) next_offset_ += block_size;
  }
  Block& next = blocks_[writer_ % blocks_max];
  if (!writing_ && writer_ != reader_ && next.full()) {
    writing_ = true;
    next.write();
  }
}

void ReadWrite::Block::on_read(Cqe cqe) noexcept {
  if (cqe.res > 0) {
    filled_ += static_cast<std::size_t>(cqe.res);
    // At an offset the block has to be full, for the next one is being read already.
    if (owner_.at_offsets_ && filled_ < memory_.size()) return read_rest();
  }
  --owner_.reading_;
  if (cqe.res < 0) owner_.failure_.note("reading", cqe.res);
  if (cqe.res == 0) owner_.ended_ = last_ = true;
  full_ = filled_ > 0;
  owner_.go_on();
}

void ReadWrite::Block::on_write(Cqe cqe) noexcept {
  if (cqe.res > 0) {
    written_ += static_cast<std::size_t>(cqe.res);
    owner_.written_ += cqe.res;
    if (written_ < filled_) return write();
    full_ = false;
    // What was read behind the end belongs to a file that grew meanwhile: a gap would be missing.
    owner_.writer_ = last_ ? owner_.reader_ : owner_.writer_ + 1;
  }
  owner_.writing_ = false;
  if (cqe.res <= 0) owner_.failure_.note("writing", cqe.res == 0 ? -EIO : cqe.res);
  owner_.go_on();
}

/// Moves pages into a pipe. The kernel does it on a worker thread, so each turn should be large.
class IntoPipe {
 public:
  IntoPipe(Ring& ring, const Fd& pipe) : ring_(ring), pipe_(pipe) {
    fcntl(pipe.get(), F_SETPIPE_SZ, pipe_size);  // only a wish: the system may allow less
  }

  /// @return error -EINVAL when nothing was moved, for the source cannot be spliced
  FileError run(const Fd& from) {
    do {
      splice_.start(ring_, {.from = from, .to = pipe_, .bytes_max = pipe_size});
      while (ring_.armed_count() > 0) ring_.run_once();
    } while (moved_ > 0);
    return {"splicing", moved_, true};
  }

 private:
  void on_splice(Cqe cqe) noexcept { moved_ = cqe.res; }

  Ring& ring_;
  const Fd& pipe_;
  int moved_ = 0;
  Bind<Splice, &IntoPipe::on_splice> splice_{*this};
};

class Cat {
 public:
  /// @return false when a file could not be printed whole; it was named on stderr
  bool run(const std::string& path) {
    Fd from(path == "-" ? dup(STDIN_FILENO) : open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!from) return fail(path, errno);
    if (would_read_its_own_output(from)) {
      complain("ring-cat: {}: is also the output, and would never end", path);
      return false;
    }
    posix_fadvise(from.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    FileError error{"splicing", -EINVAL};
    if (to_pipe_) error = pipe_.run(from);
    if (error.error == -EINVAL) error = read_write_.run(from);
    return error.error == 0 || fail(path + ": " + error.what, -error.error);
  }

 private:
  static bool is_pipe(const Fd& fd) {
    struct stat status {};
    return fstat(fd.get(), &status) == 0 && S_ISFIFO(status.st_mode);
  }
  // What is written behind the place that is read next is read, too.
  bool would_read_its_own_output(const Fd& from) const {
    struct stat in {};
    struct stat out {};
    if (fstat(from.get(), &in) != 0 || fstat(to_.get(), &out) != 0) return false;
    if (!S_ISREG(out.st_mode) || in.st_dev != out.st_dev || in.st_ino != out.st_ino) return false;
    const bool appends = (fcntl(to_.get(), F_GETFL) & O_APPEND) != 0;
    const off_t begin = lseek(from.get(), 0, SEEK_CUR);
    return begin < (appends ? out.st_size : lseek(to_.get(), 0, SEEK_CUR));
  }
  static bool fail(const std::string& what, int error) {
    if (error == EPIPE) return false;  // nobody reads any more: no reason for a word
    complain("ring-cat: {}: {}", what, std::strerror(error));
    return false;
  }

  static int writable_output() {
    const bool writes = (fcntl(STDOUT_FILENO, F_GETFL) & O_ACCMODE) != O_RDONLY;
    if (!writes) errno = EBADF;
    return check_errno(writes ? dup(STDOUT_FILENO) : -1,
                       "standard output, closed or not for writing");
  }

  const Fd to_{writable_output()};
  const bool to_pipe_ = is_pipe(to_);
  Ring ring_{{.sq_entries = 2 * blocks_max}};
  ReadWrite read_write_{ring_, to_};
  IntoPipe pipe_{ring_, to_};
};

}  // namespace

}  // namespace lab

int main(int argc, char** argv) try {
  lab::open_standard_fds();
  std::vector<std::string> paths{"-"};
  lab::CommandLine line("ring-cat", "Prints files one after the other, on io_uring.", 1);
  line.footer(
      "Into a pipe the kernel moves the files' pages without copying them; anywhere else blocks\n"
      "are read ahead and written in order. Exit code: 0 all is printed; 1 something is not, and\n"
      "was named; 2 a wrong option. Example: ring-cat a.log b.log | wc -l");
  line.add_option("file", paths, "Files; \"-\" is standard input, which is the default")
      .type_name("")
      .check(lab::not_empty());
  line.parse(lab::operands_as_written(argc, argv));
  lab::Cat cat;
  bool complete = true;
  for (const std::string& path : paths) complete &= cat.run(path);
  return complete ? 0 : 1;
} catch (const std::exception& error) {
  lab::complain("ring-cat: {}", error.what());
  return 1;
}
