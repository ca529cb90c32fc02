// Watches a log being written: what is queued, when it is acknowledged. Nobody edits this file.
#pragma once

#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "01-core/lesson.hpp"

namespace exercise {

struct Watched {
  unsigned writes = 0;
  unsigned syncs = 0;
  bool linked = false;       ///< the write carried IOSQE_IO_LINK
  unsigned answers_due = 0;  ///< submitted and not taken out of the CQ
  int acknowledged = 0;      ///< batches
  bool acknowledged_early = false;
};
inline Watched watched;
inline io_uring* watched_ring = nullptr;

/// Submits what is prepared and waits for `count` answers.
inline void submit_and_wait(io_uring& ring, unsigned count) {
  const unsigned queued = io_uring_sq_ready(&ring);
  for (unsigned index = 0; index < queued; ++index) {
    const io_uring_sqe& sqe = ring.sq.sqes[(ring.sq.sqe_head + index) & ring.sq.ring_mask];
    watched.writes += sqe.opcode == IORING_OP_WRITE ? 1U : 0U;
    watched.syncs += sqe.opcode == IORING_OP_FSYNC ? 1U : 0U;
    if (sqe.opcode == IORING_OP_WRITE) watched.linked = (sqe.flags & IOSQE_IO_LINK) != 0;
  }
  lab::need(io_uring_submit_and_wait(&ring, count), "io_uring_submit_and_wait");
}

/// Tells the client that its batch is safe. To be called once, when it is.
inline void acknowledge() {
  ++watched.acknowledged;
  const unsigned taken = *watched_ring->cq.khead;
  if (taken != *watched_ring->sq.khead || watched.syncs == 0) watched.acknowledged_early = true;
}

/// Writes the batch to the end of the log, makes it safe, acknowledges it.
/// @return 0, or the -errno of what went wrong; then nothing is acknowledged
using Append = int (*)(io_uring& ring, int log, const std::string& batch);

class Judge {
 public:
  Judge(io_uring& ring, Append append) : ring_(ring), append_(append) { watched_ring = &ring; }

  int run() {
    good_batch();
    bad_batch("a log that cannot be written", open("/dev/null", O_RDONLY | O_CLOEXEC), -EBADF);
    int ends[2];
    lab::need_errno(pipe2(ends, O_CLOEXEC), "pipe2");
    bad_batch("a log that cannot be synced (a pipe)", ends[1], -EINVAL);
    close(ends[0]);
    short_write();
    return lab::ok();
  }

 private:
  void good_batch() {
    const std::string path = lab::temporary_folder() + "/log";
    const int log = lab::need_errno(
        open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600), "open");
    std::string all;
    for (const char* batch : {"one record\n", "two records\nof one batch\n"}) {
      watched = {};
      const int res = append_(ring_, log, batch);
      all += batch;
      if (res != 0) lab::fail("append() returned " + std::to_string(res) + " for a good batch");
      if (watched.writes != 1 || watched.syncs != 1)
        lab::fail("a batch took " + std::to_string(watched.writes) + " writes and " +
                      std::to_string(watched.syncs) + " syncs",
                  "one of each, for all of its records");
      if (!watched.linked)
        lab::fail("nothing keeps the sync behind the write", "IOSQE_IO_LINK on the write");
      if (watched.acknowledged != 1)
        lab::fail("acknowledge() was called " + std::to_string(watched.acknowledged) + " times");
      if (watched.acknowledged_early)
        lab::fail("acknowledged before the sync's answer was there",
                  "a power cut now would lose a record that the client believes safe");
    }
    std::string bytes(100, '\0');
    const ssize_t size = pread(log, bytes.data(), bytes.size(), 0);
    bytes.resize(static_cast<std::size_t>(lab::need_errno(static_cast<int>(size), "pread")));
    if (bytes != all) lab::fail("the log holds \"" + bytes + "\"");
    std::printf("two batches: written, synced once each, acknowledged after it\n");
    close(log);
  }

  void bad_batch(const char* name, int log, int wanted) {
    watched = {};
    const int res = append_(ring_, log, "a record\n");
    if (watched.acknowledged != 0)
      lab::fail(std::string(name) + ": it was acknowledged", "look at the result of each step");
    if (res != wanted)
      lab::fail(std::string(name) + ": append() returned " + std::to_string(res) + ", not " +
                    std::to_string(wanted),
                "pass on the error of the step that failed, not the -ECANCELED of the next one");
    std::printf("%s: reported, not acknowledged\n", name);
    close(log);
  }

  // The pipe has room for a part of the batch. No step fails: the short write breaks the link, and
  // only the -ECANCELED of the sync tells of it.
  void short_write() {
    int ends[2];
    lab::need_errno(pipe2(ends, O_CLOEXEC | O_NONBLOCK), "pipe2");
    const int room = lab::need_errno(fcntl(ends[1], F_SETPIPE_SZ, 4096), "F_SETPIPE_SZ");
    watched = {};
    const std::string batch(static_cast<std::size_t>(room) + 904, 'x');
    const int res = append_(ring_, ends[1], batch);
    if (watched.acknowledged != 0)
      lab::fail("a short write: it was acknowledged, and a part of the batch is nowhere",
                "the sync says -ECANCELED, and no other step tells of it");
    if (res >= 0)
      lab::fail("a short write: append() returned " + std::to_string(res) + ", and not an error",
                "the sync says -ECANCELED, and no other step tells of it");
    std::printf("a write that took a part of the batch: reported, not acknowledged\n");
    close(ends[0]);
    close(ends[1]);
  }

  io_uring& ring_;
  Append append_;
};

}  // namespace exercise
