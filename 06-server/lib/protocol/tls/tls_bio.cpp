#include "06-server/lib/protocol/tls/tls_bio.hpp"

#include <openssl/bio.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <utility>

#include "01-core/lib/assert.hpp"

namespace lab {

namespace {

TlsBio& owner_of(BIO* bio) noexcept { return *static_cast<TlsBio*>(BIO_get_data(bio)); }

int on_read(BIO* bio, char* space, std::size_t size, std::size_t* count) {
  BIO_clear_retry_flags(bio);
  *count = owner_of(bio).read({reinterpret_cast<std::byte*>(space), size});
  if (*count > 0) return 1;
  BIO_set_retry_read(bio);
  return -1;
}

int on_write(BIO* bio, const char* bytes, std::size_t size, std::size_t* count) {
  BIO_clear_retry_flags(bio);
  owner_of(bio).write({reinterpret_cast<const std::byte*>(bytes), size});
  *count = size;
  return 1;
}

long on_control(BIO*, int what, long, void*) { return what == BIO_CTRL_FLUSH ? 1 : 0; }

int on_create(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

// Made once and never freed: BIOs may be left when the program ends.
BIO_METHOD* method() noexcept {
  static BIO_METHOD* const made = [] {
    BIO_METHOD* const bio = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "segments");
    if (bio == nullptr) return bio;
    BIO_meth_set_read_ex(bio, &on_read);
    BIO_meth_set_write_ex(bio, &on_write);
    BIO_meth_set_ctrl(bio, &on_control);
    BIO_meth_set_create(bio, &on_create);
    return bio;
  }();
  return made;
}

}  // namespace

bio_st* TlsBio::make_bio() noexcept {
  BIO* const bio = method() != nullptr ? BIO_new(method()) : nullptr;
  if (bio != nullptr) BIO_set_data(bio, this);
  return bio;
}

std::size_t TlsBio::read(std::span<std::byte> space) noexcept {
  if (!has_input()) return 0;
  const auto count = std::min<std::size_t>(space.size(), input_->size());
  std::memcpy(space.data(), input_->bytes().data(), count);
  input_->drop_front(static_cast<std::uint32_t>(count));
  return count;
}

void TlsBio::write(std::span<const std::byte> bytes) noexcept {
  if (broken_) return;
  LAB_ASSERT(io_ != nullptr);
  if (overflow_.empty()) bytes = bytes.subspan(write_pooled(bytes));
  if (bytes.empty()) return;
  try {
    overflow_.insert(overflow_.end(), bytes.begin(), bytes.end());
  } catch (const std::exception&) {
    broken_ = true;
  }
}

std::uint32_t TlsBio::space(std::uint32_t wanted) noexcept {
  if (out_size_ > 0 && out_.space().size() - out_size_ < wanted) flush();
  if (!out_) out_ = take_(io_);
  return out_ ? static_cast<std::uint32_t>(out_.space().size()) - out_size_ : 0;
}

void TlsBio::flush() noexcept {
  if (out_size_ > 0) send_(io_, std::move(out_).filled(std::exchange(out_size_, 0)));
  out_ = {};
}

void TlsBio::clear() noexcept {
  out_ = {};
  out_size_ = 0;
  overflow_sent_ = 0;
  overflow_ = {};
}

void TlsBio::send_overflow() noexcept {
  if (overflow_.empty()) return;
  const auto left = std::span<const std::byte>(overflow_).subspan(overflow_sent_);
  const std::size_t count = write_pooled(left);
  overflow_sent_ += static_cast<std::uint32_t>(count);
  if (count < left.size()) return;
  overflow_sent_ = 0;
  overflow_ = {};  // its memory, too
}

// What fits into the buffers that are to be had.
std::size_t TlsBio::write_pooled(std::span<const std::byte> bytes) noexcept {
  std::size_t written = 0;
  while (written < bytes.size()) {
    if (!out_ && !(out_ = take_(io_))) break;
    const auto space = out_.space().subspan(out_size_);
    const std::size_t count = std::min(space.size(), bytes.size() - written);
    std::memcpy(space.data(), bytes.data() + written, count);
    written += count;
    out_size_ += static_cast<std::uint32_t>(count);
    if (out_size_ == out_.space().size()) flush();
  }
  return written;
}

}  // namespace lab
