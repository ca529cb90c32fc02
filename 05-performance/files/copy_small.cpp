#include "05-performance/files/copy_small.hpp"

namespace lab {

CopySmall::CopySmall(Ring& ring, FileTable& table, std::span<std::byte> memory,
                     std::size_t block_size)
    : ring_(ring), table_(table) {
  unsigned number = 0;
  for (std::size_t at = 0; at + block_size <= memory.size(); at += block_size) {
    chains_.emplace_back(*this, memory.subspan(at, block_size), number++);
  }
}

std::vector<const SmallFile*> CopySmall::run(std::span<const SmallFile> files) {
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
  due_ = 4;
  copy_.ring_.reserve(due_);
  open_from_.start_direct(copy_.ring_, file_->from.c_str(),
                          {.flags = O_RDONLY, .sqe_flags = IOSQE_IO_LINK}, from_);
  open_to_.start_direct(
      copy_.ring_, file_->to.c_str(),
      {.flags = O_WRONLY | O_CREAT | O_TRUNC, .mode = file_->mode, .sqe_flags = IOSQE_IO_LINK},
      to_);
  read_.start(copy_.ring_, from_, {.memory = bytes, .offset = 0, .flags = IOSQE_IO_LINK});
  write_.start(copy_.ring_, to_, {.bytes = bytes, .offset = 0});
}

void CopySmall::Chain::on_write(Cqe cqe) noexcept {
  const bool whole = cqe.res >= 0 && static_cast<std::size_t>(cqe.res) == file_->size;
  if (!whole) copy_.failed_.push_back(file_);
  on_step();
}

void CopySmall::Chain::on_step() noexcept {
  if (--due_ == 0) take_next_file();
}

}  // namespace lab
