// Three ways of sending a range of a file: read and send, splice, and all at once.
//
// Rule: each returns when nothing of it is armed. Each gives false when the file ended early.
#pragma once

#include <fcntl.h>
#include <liburing.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>

#include "01-core/lesson.hpp"

namespace ways {

/// What a client asked for.
struct Range {
  int fd;
  std::uint64_t offset;
  std::uint64_t length;  ///< bytes
};

enum Mark : std::uint64_t { read_mark = 1, send_mark, in_mark, out_mark };

struct Result {
  std::uint64_t mark;
  int res;
};

/// The next result, after a submit if there is none. An error ends the program.
inline Result next_result(io_uring& ring) {
  io_uring_cqe* cqe = nullptr;
  // What is in the queue already is taken first: then several SQEs leave in one system call.
  if (io_uring_cq_ready(&ring) == 0) {
    lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
  }
  lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
  const Result result{cqe->user_data, cqe->res};
  io_uring_cqe_seen(&ring, cqe);
  if (result.res != -ECANCELED) lab::need(result.res, "a file on its way to a socket");
  return result;
}

inline unsigned smaller(std::uint64_t bytes, unsigned most) {
  return static_cast<unsigned>(std::min<std::uint64_t>(bytes, most));
}

/// Two buffers: while one is being sent, the next piece is read into the other.
class ReadAndSend {
 public:
  ReadAndSend(io_uring& ring, unsigned piece) : ring_(ring), piece_(piece) {
    for (Buffer& buffer : buffers_) buffer.bytes = std::make_unique<char[]>(piece);
  }
  std::size_t memory() const { return buffers_.size() * piece_; }

  // [walk read-and-send]
  bool send(const Range& range, int socket) {
    std::uint64_t read = 0;
    std::uint64_t sent = 0;
    unsigned reads = 0;  // piece n uses buffer n modulo 2
    unsigned sends = 0;
    bool read_armed = false;
    bool send_armed = false;
    bool file_ended = false;
    while (sent < range.length) {
      Buffer& empty = buffers_[reads % 2];
      Buffer& full = buffers_[sends % 2];
      if (!read_armed && !file_ended && empty.filled == 0 && read < range.length) {
        start_read(range, read, empty);
        read_armed = true;
      }
      if (!send_armed && full.filled > full.sent) {
        start_send(socket, full);
        send_armed = true;
      }
      if (!read_armed && !send_armed) return false;
      const auto [mark, res] = next_result(ring_);
      if (mark == read_mark) {
        read_armed = false;
        file_ended = res == 0;
        empty.filled = static_cast<unsigned>(res);
        read += empty.filled;
        if (!file_ended) ++reads;
      } else {
        send_armed = false;
        full.sent += static_cast<unsigned>(res);
        sent += static_cast<unsigned>(res);
        if (full.sent < full.filled) continue;  // a short send: the rest is next
        full.filled = full.sent = 0;
        ++sends;
      }
    }
    return true;
  }
  // [/walk]

 private:
  struct Buffer {
    std::unique_ptr<char[]> bytes;
    unsigned filled = 0;  // by its read
    unsigned sent = 0;    // of these
  };

  void start_read(const Range& range, std::uint64_t done, Buffer& buffer) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    io_uring_prep_read(sqe, range.fd, buffer.bytes.get(), smaller(range.length - done, piece_),
                       range.offset + done);
    io_uring_sqe_set_data64(sqe, read_mark);
  }
  void start_send(int socket, const Buffer& buffer) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    io_uring_prep_send(sqe, socket, &buffer.bytes[buffer.sent], buffer.filled - buffer.sent,
                       MSG_WAITALL | MSG_NOSIGNAL);
    io_uring_sqe_set_data64(sqe, send_mark);
  }

  io_uring& ring_;
  unsigned piece_;
  std::array<Buffer, 2> buffers_;
};

/// File to pipe to socket: what moves are pages, and none of them is this program's.
class Splice {
 public:
  Splice(io_uring& ring, unsigned pipe_size) : ring_(ring), size_(pipe_size) {
    lab::need_errno(pipe2(pipe_.data(), O_CLOEXEC), "pipe2");
    lab::need_errno(fcntl(pipe_[1], F_SETPIPE_SZ, pipe_size), "F_SETPIPE_SZ");
  }
  ~Splice() {
    for (const int fd : pipe_) close(fd);
  }
  Splice(const Splice&) = delete;
  Splice& operator=(const Splice&) = delete;
  std::size_t memory() const { return 0; }

  // [walk splice]
  bool send(const Range& range, int socket) {
    for (std::uint64_t moved = 0; moved < range.length;) {
      const unsigned piece = smaller(range.length - moved, size_);
      io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
      io_uring_prep_splice(sqe, range.fd, static_cast<std::int64_t>(range.offset + moved), pipe_[1],
                           -1, piece, 0);
      io_uring_sqe_set_data64(sqe, in_mark);
      io_uring_sqe_set_flags(sqe, IOSQE_IO_LINK);
      start_out(socket, piece);
      int in = 0;
      int out = 0;
      take(in, out);
      take(in, out);
      if (in == 0) return false;
      // A short one into the pipe cuts the link; a short one out of it leaves bytes behind.
      while (out < in) {
        start_out(socket, static_cast<unsigned>(in - out));
        take(in, out);
      }
      moved += static_cast<unsigned>(in);
    }
    return true;
  }
  // [/walk]

 private:
  void start_out(int socket, unsigned bytes) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    io_uring_prep_splice(sqe, pipe_[0], -1, socket, -1, bytes, 0);
    io_uring_sqe_set_data64(sqe, out_mark);
  }
  void take(int& in, int& out) {
    const auto [mark, res] = next_result(ring_);
    if (res > 0) (mark == in_mark ? in : out) += res;
  }

  io_uring& ring_;
  unsigned size_;
  std::array<int, 2> pipe_{};
};

/// The whole range into memory, and then out of it.
class AllAtOnce {
 public:
  AllAtOnce(io_uring& ring, std::uint64_t most)
      : ring_(ring), memory_(most), bytes_(std::make_unique<char[]>(most)) {}
  std::size_t memory() const { return memory_; }

  // [walk all-at-once]
  bool send(const Range& range, int socket) {
    for (std::uint64_t read = 0; read < range.length;) {
      io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
      io_uring_prep_read(sqe, range.fd, &bytes_[read], smaller(range.length - read, 1U << 30U),
                         range.offset + read);
      const unsigned res = answer();
      if (res == 0) return false;
      read += res;
    }
    for (std::uint64_t sent = 0; sent < range.length;) {
      io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
      io_uring_prep_send(sqe, socket, &bytes_[sent], range.length - sent,
                         MSG_WAITALL | MSG_NOSIGNAL);
      sent += answer();
    }
    return true;
  }
  // [/walk]

 private:
  unsigned answer() { return static_cast<unsigned>(next_result(ring_).res); }

  io_uring& ring_;
  std::uint64_t memory_;
  std::unique_ptr<char[]> bytes_;
};

}  // namespace ways
