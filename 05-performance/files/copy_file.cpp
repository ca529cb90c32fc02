#include "05-performance/files/copy_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

namespace lab {

namespace {

constexpr std::uint64_t endless = std::numeric_limits<std::uint64_t>::max();

}  // namespace

CopyFile::CopyFile(Ring& ring, std::span<std::byte> memory, std::size_t block_size)
    : ring_(ring), block_size_(block_size) {
  for (std::size_t at = 0; at + block_size <= memory.size(); at += block_size) {
    blocks_.emplace_back(*this, memory.subspan(at, block_size));
  }
}

FileError CopyFile::run(const Fd& from, const Fd& to, const Fd& direct) {
  in_order_ = false;
  return copy(from, to, direct, blocks_.size());
}

FileError CopyFile::run_in_order(const Fd& from, const Fd& to) {
  in_order_ = true;
  return copy(from, to, {}, 1);
}

FileError CopyFile::copy(const Fd& from, const Fd& to, const Fd& direct, std::size_t blocks) {
  from_ = &from;
  direct_ = direct ? &direct : &from;
  to_ = &to;
  next_ = 0;
  end_ = endless;
  written_to_ = 0;
  failure_ = {};
  for (std::size_t block = 0; block < blocks; ++block) blocks_[block].take_next_range();
  while (ring_.armed_count() > 0) ring_.run_once();
  // A gap of zeros would be in it.
  if (written_to_ > end_ && ftruncate(to.get(), static_cast<off_t>(end_)) != 0) {
    failure_.note("cutting it where its source ended", -errno);
  }
  return failure_;
}

void CopyFile::Block::take_next_range() noexcept {
  if (copy_.end_ != endless || copy_.failure_.error != 0) return;
  offset_ = copy_.next_;
  left_ = copy_.block_size_;
  copy_.next_ += copy_.block_size_;
  read();
}

// The rest after a short read begins anywhere, where O_DIRECT cannot.
void CopyFile::Block::read() noexcept {
  from_ = left_ == copy_.block_size_ ? copy_.direct_ : copy_.from_;
  read_.start(copy_.ring_, *from_,
              {.memory = memory_.first(left_), .offset = copy_.in_order_ ? own_position : offset_});
}

// Short is normal; only 0 is the end.
void CopyFile::Block::on_read(Cqe cqe) noexcept {
  if (cqe.res == -EINVAL && from_ != copy_.from_) {  // O_DIRECT wants larger steps than ours
    copy_.direct_ = copy_.from_;
    return read();
  }
  if (cqe.res < 0) return copy_.failure_.note("reading", cqe.res, true);
  if (cqe.res == 0) {
    copy_.end_ = std::min(copy_.end_, offset_);
    return;
  }
  filled_ = static_cast<std::size_t>(cqe.res);
  left_ -= filled_;
  written_ = 0;
  write();
}

void CopyFile::Block::write() noexcept {
  write_.start(
      copy_.ring_, *copy_.to_,
      {.bytes = memory_.subspan(written_, filled_ - written_), .offset = offset_ + written_});
}

void CopyFile::Block::on_write(Cqe cqe) noexcept {
  if (cqe.res <= 0) return copy_.failure_.note("writing", cqe.res == 0 ? -EIO : cqe.res);
  written_ += static_cast<std::size_t>(cqe.res);
  if (written_ < filled_) return write();
  offset_ += filled_;
  copy_.written_to_ = std::max(copy_.written_to_, offset_);
  if (left_ > 0) return read();
  take_next_range();
}

}  // namespace lab
