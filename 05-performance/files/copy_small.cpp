#include "05-performance/files/copy_small.hpp"

#include <cerrno>

namespace lab {

CopySmall::CopySmall(Ring& ring, FileTable& table, std::span<std::byte> memory,
                     std::size_t block_size)
    : ring_(ring), table_(table) {
  unsigned number = 0;
  for (std::size_t at = 0; at + block_size <= memory.size(); at += block_size) {
    chains_.emplace_back(*this, memory.subspan(at, block_size), number++);
  }
}

std::vector<SmallFailure> CopySmall::run(const Fd& from, const Fd& to,
                                         std::span<const SmallFile> files) {
  from_ = from.get();
  to_ = to.get();
  files_ = files;
  next_ = 0;
  failed_.clear();
  failed_.reserve(files.size());
  for (Chain& chain : chains_) chain.take_next_file();
  while (ring_.armed_count() > 0) ring_.run_once();
  table_.empty();  // these files are done with, and what follows may be large
  return failed_;
}

void CopySmall::Chain::take_next_file() noexcept {
  if (copy_.next_ == copy_.files_.size()) return;
  file_ = &copy_.files_[copy_.next_++];
  const auto bytes = memory_.first(file_->size);
  // O_EXCL: what has come in between is not ours to empty.
  const int target = file_->there ? O_TRUNC : O_CREAT | O_EXCL;
  due_ = 4;
  opened_ = ended_ = false;
  offset_ = filled_ = written_ = 0;
  error_ = {};
  copy_.ring_.reserve(due_);
  open_from_.start_direct(
      copy_.ring_, file_->name.c_str(),
      {.flags = O_RDONLY | O_NOFOLLOW, .folder = copy_.from_, .sqe_flags = IOSQE_IO_LINK}, from_);
  open_to_.start_direct(copy_.ring_, file_->name.c_str(),
                        {.flags = O_WRONLY | O_NOFOLLOW | target,
                         .mode = file_->mode,
                         .folder = copy_.to_,
                         .sqe_flags = IOSQE_IO_LINK},
                        to_);
  read_.start(copy_.ring_, from_, {.memory = bytes, .offset = 0, .flags = IOSQE_IO_LINK});
  write_.start(copy_.ring_, to_, {.bytes = bytes, .offset = 0});
}

void CopySmall::Chain::on_open_to(Cqe cqe) noexcept {
  opened_ = cqe.res >= 0;
  on_step();
}

void CopySmall::Chain::on_read(Cqe cqe) noexcept {
  if (cqe.res >= 0) {
    filled_ = static_cast<std::size_t>(cqe.res);
    // In the chain all that was asked for is the whole file.
    ended_ = filled_ == 0 || (offset_ == 0 && filled_ == file_->size);
  } else {
    error_.note("reading", cqe.res, true);
  }
  on_step();
}

void CopySmall::Chain::on_write(Cqe cqe) noexcept {
  if (cqe.res > 0) {
    written_ += static_cast<std::size_t>(cqe.res);
  } else if (cqe.res != -ECANCELED) {  // a short read cancels it
    error_.note("writing", cqe.res == 0 ? -EIO : cqe.res);
  }
  on_step();
}

void CopySmall::Chain::on_step() noexcept {
  if (--due_ == 0) go_on();
}

// Most files are whole when their chain is over. Others are shorter than they said (each of /sys
// says 4096): the rest of those is copied one operation after the other, with the files that the
// chain has opened.
void CopySmall::Chain::go_on() noexcept {
  if (!opened_ || error_.error != 0) {
    copy_.failed_.push_back({file_, opened_ ? error_ : FileError{}});
    return take_next_file();
  }
  if (written_ == filled_ && ended_) return take_next_file();
  due_ = 1;
  if (written_ < filled_) {
    return write_.start(
        copy_.ring_, to_,
        {.bytes = memory_.subspan(written_, filled_ - written_), .offset = offset_ + written_});
  }
  offset_ += filled_;
  filled_ = written_ = 0;
  read_.start(copy_.ring_, from_, {.memory = memory_, .offset = offset_});
}

}  // namespace lab
