// What step 5 built, for step 6: the buffers that the kernel picks from, and the list of those who
// wait for one. Nothing is new here; step5_buffer_ring.cpp explains it.
#pragma once

#include <deque>
#include <string_view>
#include <vector>

#include "docs/from-epoll/after_step4.hpp"

namespace lab {

/// What was received and not yet sent, in the stream's order; each piece in a buffer of its own.
using Outbox = std::deque<std::string_view>;

struct BufferService : DirectService {
  static constexpr unsigned buffer_count = 256, buffer_size = 4096;

  explicit BufferService(const Lesson& lesson) : DirectService(lesson) {
    int error = 0;
    buffers = io_uring_setup_buf_ring(&ring, buffer_count, 0, 0, &error);
    need(error, "io_uring_setup_buf_ring");
    for (unsigned buffer = 0; buffer < buffer_count; ++buffer) give_back(buffer);
  }
  ~BufferService() { io_uring_free_buf_ring(&ring, buffers, buffer_count, 0); }
  BufferService(const BufferService&) = delete;
  BufferService& operator=(const BufferService&) = delete;

  char* bytes_of(unsigned buffer) { return memory.data() + std::size_t{buffer} * buffer_size; }

  void give_back(unsigned buffer) {
    io_uring_buf_ring_add(buffers, bytes_of(buffer), buffer_size,
                          static_cast<unsigned short>(buffer), buffer_count - 1, 0);
    io_uring_buf_ring_advance(buffers, 1);
    ++free;
  }

  /// The buffer that a CQE names is ours.
  const char* take(unsigned buffer) {
    --free;
    return bytes_of(buffer);
  }

  /// Gives the first piece's buffer back. A piece that is used up points behind its last byte.
  void drop_front(Outbox& outbox) {
    const std::string_view first = outbox.front();
    const auto offset = first.data() - memory.data() - (first.empty() ? 1 : 0);
    outbox.pop_front();
    give_back(static_cast<unsigned>(offset) / buffer_size);
  }

  io_uring_buf_ring* buffers = nullptr;
  std::vector<char> memory = std::vector<char>(std::size_t{buffer_count} * buffer_size);
  unsigned free = 0;  // buffers that are the kernel's to pick
};

// Who waits for a buffer: first come, first served.
template <class Connection>
class WaitingList {
 public:
  void push(Connection& connection) {
    connection.waiting = true;
    list_.push_back(&connection);
  }

  /// Starts as many as there are buffers. Returns how many CQEs the next round may sleep for: who
  /// is started may have no data, so none while others wait behind it and buffers are free.
  template <class Start>
  unsigned wake(const unsigned& free, Start&& start) {
    for (unsigned chances = free; chances > 0 && !list_.empty(); --chances) {
      Connection& connection = *list_.front();
      list_.pop_front();
      connection.waiting = false;
      start(connection);
    }
    return free > 0 && !list_.empty() ? 0 : 1;
  }

 private:
  std::deque<Connection*> list_;
};

}  // namespace lab
