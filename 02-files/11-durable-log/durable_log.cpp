// shows: records that are acknowledged when they are on the disk, and a replay that doubts them
// needs: Linux 5.6
// try:   ./lab run 02-11; then ./lab break 02-11: what does a replay without checksum believe?
#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "01-core/lesson.hpp"

namespace {

// [walk encode]
struct Header {
  std::uint32_t size;
  std::uint32_t checksum;
};
// [/walk]

std::uint32_t checksum_of(std::string_view bytes) {
  std::uint32_t sum = 2166136261U;  // FNV-1a
  for (const char byte : bytes) sum = (sum ^ static_cast<unsigned char>(byte)) * 16777619U;
  return sum;
}

// [walk encode]
void encode(std::string& batch, std::string_view record) {
  const Header header{static_cast<std::uint32_t>(record.size()), checksum_of(record)};
  batch.append(reinterpret_cast<const char*>(&header), sizeof header);
  batch.append(record);
}
// [/walk]

// [walk append]
// Group commit: however many records a batch holds, it is one write and one sync. The link keeps
// their order; without it the sync could run first and cover nothing.
void append(io_uring& ring, int log, const std::string& batch, std::uint64_t offset) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_write(sqe, log, batch.data(), static_cast<unsigned>(batch.size()), offset);
  io_uring_sqe_set_flags(sqe, IOSQE_IO_LINK);
  sqe = io_uring_get_sqe(&ring);
  io_uring_prep_fsync(sqe, log, IORING_FSYNC_DATASYNC);
  lab::need(io_uring_submit_and_wait(&ring, 2), "io_uring_submit_and_wait");
  // A short write breaks the link, so a sync that succeeded is the word for both.
  for (const char* step : {"write", "fdatasync"}) {
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
    lab::need(cqe->res, step);
    io_uring_cqe_seen(&ring, cqe);
  }
}
// [/walk]

// [walk replay]
// Reads records until one is not whole: what comes after it was never acknowledged.
std::vector<std::string> replay(std::string_view log) {
  std::vector<std::string> records;
  Header header;
  while (log.size() >= sizeof header) {
    std::memcpy(&header, log.data(), sizeof header);
    log.remove_prefix(sizeof header);
    if (header.size == 0 || header.size > log.size()) break;
    if (header.checksum != checksum_of(log.substr(0, header.size))) break;
    records.emplace_back(log.substr(0, header.size));
    log.remove_prefix(header.size);
  }
  return records;
}
// [/walk]

bool is_prefix(const std::vector<std::string>& some, const std::vector<std::string>& all) {
  return some.size() <= all.size() && std::equal(some.begin(), some.end(), all.begin());
}

double milliseconds_of(io_uring& ring, int log, unsigned records, unsigned batch_size) {
  const auto begin = std::chrono::steady_clock::now();
  std::uint64_t offset = 0;
  for (unsigned record = 0; record < records; record += batch_size) {
    std::string batch;
    for (unsigned index = 0; index < batch_size; ++index) encode(batch, "a record of some bytes");
    append(ring, log, batch, offset);
    offset += batch.size();
  }
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  return took.count();
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  const std::string path = lab::temporary_folder() + "/log";
  const int log = lab::need_errno(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), "open");
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);

  std::vector<std::string> acknowledged;
  std::string written;
  // [walk batches]
  for (const std::size_t count : {1U, 4U, 3U}) {
    std::string batch;
    std::vector<std::string> records;
    for (std::size_t index = 0; index < count; ++index) {
      records.push_back("record " + std::to_string(acknowledged.size() + index + 1));
      encode(batch, records.back());
    }
    append(ring, log, batch, written.size());
    acknowledged.insert(acknowledged.end(), records.begin(), records.end());
    written += batch;
    std::printf("batch of %zu: one sync, acknowledged up to %zu\n", count, acknowledged.size());
  }
  // [/walk]

  // A power cut leaves any part of the last batch. Two kinds: the file ends there, or its length is
  // on the disk already and its last blocks are still zero.
  std::string bytes(written.size(), '\0');
  lab::need_errno(static_cast<int>(pread(log, bytes.data(), bytes.size(), 0)), "pread");
  std::printf("replayed: %s\n", replay(bytes) == acknowledged ? "all" : "not all");
  bool cut_is_safe = true;
  bool zero_is_safe = true;
  // [walk crash]
  for (std::size_t place = 0; place < bytes.size(); ++place) {
    const std::string cut = bytes.substr(0, place);
    const std::string zeros(bytes.size() - place, '\0');
    cut_is_safe = cut_is_safe && is_prefix(replay(cut), acknowledged);
    zero_is_safe = zero_is_safe && is_prefix(replay(cut + zeros), acknowledged);
  }
  // [/walk]
  std::printf("cut at each of %zu bytes: %s\n", bytes.size(), cut_is_safe ? "safe" : "NOT SAFE");
  std::printf("zero from each byte on: %s\n", zero_is_safe ? "safe" : "NOT SAFE");

  const double single = milliseconds_of(ring, log, 64, 1);
  std::printf("# 64 records: a sync each %.1f ms, a sync for all %.1f ms\n", single,
              milliseconds_of(ring, log, 64, 64));
  close(log);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
