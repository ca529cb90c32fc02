// Judges 01-core/11-cancel's exercise. It arms reads on a pool of slots, cancels them, and plays
// their CQEs to your on_cqe(): once the cancel's first, once the read's first.
#pragma once

#include <liburing.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>

#include "01-core/lesson.hpp"

namespace check {

/// The user_data of a slot's read is the slot's number; its cancel's has this bit besides.
inline constexpr std::uint64_t cancel_bit = 1U << 8;

inline bool is_cancel(std::uint64_t user_data) { return (user_data & cancel_bit) != 0; }
inline unsigned slot_of(std::uint64_t user_data) { return user_data & 0xff; }

/// Four buffers. A slot is free, or lent to the kernel for a read, or held by your program.
class Pool {
 public:
  /// Hands the first `count` bytes of the slot to the application.
  void deliver(unsigned slot, int count) {
    if (count < 0 || count > static_cast<int>(slots_.at(slot).bytes.size())) {
      lab::fail(what_ + ": " + std::to_string(count) + " bytes were delivered",
                "a res below 0 is an error and no number of bytes");
    }
    delivered_.append(slots_.at(slot).bytes.data(), static_cast<unsigned>(count));
  }

  /// From here on the slot may hold anything else.
  void give_back(unsigned slot) {
    Slot& it = slots_.at(slot);
    const std::string name = what_ + ": slot " + std::to_string(slot);
    if (it.state == State::lent) {
      lab::fail(name + " was given back, and the kernel still owes the CQE of the read into it",
                "which of the two CQEs says that the kernel is done with the slot?");
    }
    if (it.state == State::free) {
      lab::fail(name + " was given back twice", "exactly one CQE gives a slot back");
    }
    it.state = State::free;
    it.bytes.fill('#');  // something else
  }

 private:
  friend class Judge;
  enum class State { free, lent, held };
  struct Slot {
    std::array<char, 8> bytes{};
    State state = State::free;
  };

  std::array<Slot, 4> slots_;
  std::string delivered_;
  std::string what_;
};

using Handler = void (*)(Pool& pool, std::uint64_t user_data, int res);

class Judge {
 public:
  Judge(lab::Lesson& lesson, Handler on_cqe) : on_cqe_(on_cqe) {
    lab::need(io_uring_queue_init(8, &ring_, 0), "io_uring_queue_init");
    lesson.watch(ring_);
  }
  ~Judge() { io_uring_queue_exit(&ring_); }
  Judge(const Judge&) = delete;
  Judge& operator=(const Judge&) = delete;

  void all() {
    one("nothing had come", "", true);
    one("nothing had come", "", false);
    one("half had come", "four", true);
    one("half had come", "four", false);
    one("all had come", "all here", false);  // found nothing to cancel, so it cannot be first
    played("the peer had left", 0);
    played("the connection had broken", -ECONNRESET);
  }

 private:
  struct Pair {
    Pair() { lab::need_errno(socketpair(AF_UNIX, SOCK_STREAM, 0, end.data()), "socketpair"); }
    ~Pair() {
      close(end[0]);
      close(end[1]);
    }
    Pair(const Pair&) = delete;
    Pair& operator=(const Pair&) = delete;
    void write(std::string_view bytes) const {
      lab::need_errno(static_cast<int>(::write(end[1], bytes.data(), bytes.size())), "write");
    }
    std::array<int, 2> end{};
  };

  void one(const std::string& what, std::string_view bytes, bool cancel_first) {
    constexpr unsigned slot = 2;
    const Pair pair, next;
    pool_.what_ = what + ", " + (cancel_first ? "the cancel's CQE first" : "the read's CQE first");
    pool_.delivered_.clear();
    arm(pair, slot);
    if (!bytes.empty()) pair.write(bytes);
    cancel(slot);
    std::array<int, 2> res{};  // the read's, the cancel's
    for (int count = 0; count < 2; ++count) {
      const auto [user_data, result] = take();
      res[is_cancel(user_data) ? 1 : 0] = result;
    }

    if (cancel_first) on_cqe_(pool_, slot | cancel_bit, res[1]);
    play_read(slot, res[0]);
    expect(slot, bytes);
    if (!cancel_first) {
      // The slot is free, so the next read may have it before the late CQE is looked at.
      arm(next, slot);
      on_cqe_(pool_, slot | cancel_bit, res[1]);
      next.write("the next");
      play_read(slot, take().res);
      expect(slot, std::string(bytes) + "the next");
    }
    std::printf("%s: right\n", pool_.what_.c_str());
  }

  // A read that ended by itself, without data. Its CQE is made up here.
  void played(const std::string& what, int res) {
    constexpr unsigned slot = 1;
    pool_.what_ = what + ", res " + std::to_string(res);
    pool_.delivered_.clear();
    play_read(slot, res);
    expect(slot, "");
    std::printf("%s: right\n", pool_.what_.c_str());
  }

  void arm(const Pair& pair, unsigned slot) {
    pool_.slots_[slot].state = Pool::State::lent;
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    std::array<char, 8>& bytes = pool_.slots_[slot].bytes;
    io_uring_prep_recv(sqe, pair.end[0], bytes.data(), bytes.size(), MSG_WAITALL);
    io_uring_sqe_set_data64(sqe, slot);
    lab::need(io_uring_submit(&ring_), "io_uring_submit");
  }

  void cancel(unsigned slot) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    io_uring_prep_cancel64(sqe, slot, 0);
    io_uring_sqe_set_data64(sqe, slot | cancel_bit);
    lab::need(io_uring_submit(&ring_), "io_uring_submit");
  }

  struct Arrival {
    std::uint64_t user_data;
    int res;
  };
  Arrival take() {
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_wait_cqe(&ring_, &cqe), "io_uring_wait_cqe");
    const Arrival arrival{io_uring_cqe_get_data64(cqe), cqe->res};
    io_uring_cqe_seen(&ring_, cqe);
    return arrival;
  }

  void play_read(unsigned slot, int res) {
    pool_.slots_[slot].state = Pool::State::held;
    on_cqe_(pool_, slot, res);
  }

  void expect(unsigned slot, std::string_view bytes) const {
    if (pool_.delivered_ != bytes) {
      lab::fail(pool_.what_ + ": delivered \"" + pool_.delivered_ + "\", but \"" +
                    std::string(bytes) + "\" had come",
                "look at res in the read's CQE, and deliver before you give the slot back");
    }
    if (pool_.slots_[slot].state != Pool::State::free) {
      lab::fail(pool_.what_ + ": the read has ended and its slot was not given back",
                "each read ends with one CQE, whatever its res: that is the place");
    }
  }

  Handler on_cqe_;
  io_uring ring_{};
  Pool pool_;
};

inline int judge(lab::Lesson& lesson, Handler on_cqe) {
  Judge(lesson, on_cqe).all();
  return lab::ok();
}

}  // namespace check
