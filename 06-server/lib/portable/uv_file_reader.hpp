// The pieces of files that a protocol asks for, one at a time, each read by one of libuv's threads
// into a pooled buffer.
//
// Lifetime: a base of its connection, which is not freed while a read is on.
#pragma once

#include <uv.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "01-core/lib/assert.hpp"
#include "06-server/lib/protocol/protocol.hpp"

namespace lab {

/// Connection derives from it and has: commons(), take_buffer(), on_piece(segment).
/// @tparam On false: the protocol reads no files, and it costs nothing
template <class Connection, bool On>
class UvFileReader {
 public:
  /// A piece is on its way.
  bool reads_file() const noexcept { return reads_; }
  /// Of the Io.
  bool read_file(const FileRange& range) noexcept {
    PooledBuffer buffer = self().take_buffer();
    if (!buffer) return false;
    range_ = range;
    buffer_ = std::move(buffer);
    start();
    return true;
  }

 private:
  Connection& self() noexcept { return static_cast<Connection&>(*this); }

  // [walk read]
  void start() noexcept {
    const auto space = static_cast<std::uint32_t>(buffer_.space().size());
    const uv_buf_t place = uv_buf_init(reinterpret_cast<char*>(buffer_.space().data()),
                                       std::min(range_.length, space));
    request_.data = &self();
    reads_ = true;
    const int result = uv_fs_read(self().commons().loop().raw(), &request_, range_.fd, &place, 1,
                                  static_cast<std::int64_t>(range_.offset), &on_read);
    LAB_ASSERT(result == 0);  // it only fails without a callback
  }
  // [/walk]

  static void on_read(uv_fs_t* request) {
    Connection& connection = *static_cast<Connection*>(request->data);
    UvFileReader& reader = connection;
    const ssize_t result = request->result;
    uv_fs_req_cleanup(request);
    if (result == UV_EINTR || result == UV_EAGAIN) return reader.start();
    reader.reads_ = false;
    connection.commons().mark_ready(connection);
    connection.on_piece(reader.take(result));
  }

  // What it brought: empty at the end of the file, when it is another, or when it failed.
  Segment take(ssize_t result) noexcept {
    const bool right = result > 0 && is_what_it_was();
    return std::move(buffer_).filled(right ? static_cast<std::uint32_t>(result) : 0);
  }

  // After the read: a write sets the time before the bytes, so bytes that are new come with a time
  // that is. Of an open file, so it does not wait for a disk.
  bool is_what_it_was() const noexcept {
    if (range_.file_size == 0) return true;
    uv_fs_t request;
    const bool known = uv_fs_fstat(nullptr, &request, range_.fd, nullptr) == 0;
    const uv_stat_t now = request.statbuf;
    uv_fs_req_cleanup(&request);
    return known && now.st_size == range_.file_size &&
           now.st_mtim.tv_sec * 1'000'000'000LL + now.st_mtim.tv_nsec == range_.modified_ns;
  }

  uv_fs_t request_;
  PooledBuffer buffer_;
  FileRange range_;
  bool reads_ = false;
};

template <class Connection>
class UvFileReader<Connection, false> {
 public:
  /// Never.
  bool reads_file() const noexcept { return false; }
};

}  // namespace lab
