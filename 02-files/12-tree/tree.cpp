// shows: du with many statx in flight, and rm -r with chains that remove a folder last
// needs: Linux 5.11
// try:   ./lab run 02-12 1; ./lab run 02-12 128: what does the depth change in the line of figures?
#include <fcntl.h>
#include <liburing.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "01-core/lesson.hpp"

namespace {

// [walk entry]
// A name in the tree. The kernel writes into status until the answer is there.
struct Entry {
  std::filesystem::path path;
  struct statx status {};
  int res = 0;
};
// [/walk]

void make_tree(const std::filesystem::path& root, const std::filesystem::path& outside) {
  for (const char* top : {"one", "two", "three"}) {
    for (int folder = 0; folder < 3; ++folder) {
      const auto path = root / top / ("folder " + std::to_string(folder));
      std::filesystem::create_directories(path);
      for (std::size_t file = 0; file < 10; ++file)
        std::ofstream(path / std::to_string(file)) << std::string(file * 100, 'x');
    }
  }
  std::filesystem::create_directory(outside);
  std::ofstream(outside / "dear") << "not of this tree";
  std::filesystem::create_directory_symlink(outside, root / "two" / "elsewhere");
}

// No operation reads a folder's names. The iterator calls getdents(2) and does not follow links.
std::vector<Entry> names_below(const std::filesystem::path& root) {
  std::vector<Entry> entries;
  for (const auto& one : std::filesystem::recursive_directory_iterator(root))
    entries.push_back({one.path().lexically_relative(root)});
  const auto by_path = [](const Entry& a, const Entry& b) { return a.path < b.path; };
  std::sort(entries.begin(), entries.end(), by_path);
  return entries;
}

// [walk collect]
// The answers come in any order, so each brings the address of its entry.
void collect(io_uring& ring, unsigned& in_flight) {
  lab::need(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
  io_uring_cqe* cqe = nullptr;
  while (io_uring_peek_cqe(&ring, &cqe) == 0) {
    static_cast<Entry*>(io_uring_cqe_get_data(cqe))->res = cqe->res;
    io_uring_cqe_seen(&ring, cqe);
    --in_flight;
  }
}
// [/walk]

// [walk fan-out]
// Fan out: up to `depth` questions are on their way, whichever is answered makes room for another.
void status_of_all(io_uring& ring, int root, std::vector<Entry>& entries, unsigned depth) {
  unsigned in_flight = 0;
  for (Entry& entry : entries) {
    while (in_flight == depth) collect(ring, in_flight);
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_statx(sqe, root, entry.path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS,
                        &entry.status);
    io_uring_sqe_set_data(sqe, &entry);
    ++in_flight;
  }
  while (in_flight > 0) collect(ring, in_flight);
  for (const Entry& entry : entries) lab::need(entry.res, entry.path.c_str());
}
// [/walk]

double milliseconds(const auto& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  return took.count();
}

void print_sizes(const std::vector<Entry>& entries) {
  std::uint64_t files = 0, folders = 0, links = 0, bytes = 0, blocks = 0;
  for (const Entry& entry : entries) {
    folders += S_ISDIR(entry.status.stx_mode) ? 1U : 0U;
    links += S_ISLNK(entry.status.stx_mode) ? 1U : 0U;
    blocks += entry.status.stx_blocks;
    if (!S_ISREG(entry.status.stx_mode)) continue;
    ++files;
    bytes += entry.status.stx_size;
  }
  std::printf("du: %lu files, %lu folders, %lu link; %lu bytes in the files\n", files, folders,
              links, bytes);
  std::printf("# on the disk: %lu KiB\n", blocks / 2);
}

// [walk remove]
// One chain for each name at the top. A link means: begin when the one before has ended. So a
// folder's turn comes after all that was in it, and the other chains run meanwhile. The link is
// hard: a name that cannot be removed must not keep the others, as rm -r does it.
void remove_all(io_uring& ring, int root, std::vector<Entry>& entries) {
  unsigned in_flight = 0;
  for (std::size_t index = 0; index < entries.size(); ++index) {
    Entry& entry = entries[index];
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    if (sqe == nullptr) lab::fail("the chains do not fit into the ring");
    io_uring_prep_unlinkat(sqe, root, entry.path.c_str(),
                           S_ISDIR(entry.status.stx_mode) ? AT_REMOVEDIR : 0);
    const bool goes_on =
        index + 1 < entries.size() && *entries[index + 1].path.begin() == *entry.path.begin();
    if (goes_on) io_uring_sqe_set_flags(sqe, IOSQE_IO_HARDLINK);
    io_uring_sqe_set_data(sqe, &entry);
    ++in_flight;
  }
  while (in_flight > 0) collect(ring, in_flight);
}
// [/walk]

void print_removed(const std::vector<Entry>& entries) {
  std::map<std::string, std::map<int, int>> counts;
  for (const Entry& entry : entries) ++counts[entry.path.begin()->string()][entry.res];
  for (const auto& [top, results] : counts) {
    std::printf("rm %s\n", top.c_str());
    for (const auto& [res, count] : results)
      std::printf("  %d: %s\n", count, res == 0 ? "gone" : std::strerror(-res));
  }
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, "[depth]: questions in flight (default 32)");
  const auto depth = static_cast<unsigned>(lesson.argument(1, 32, 1, 128));
  const std::filesystem::path path = lab::temporary_folder() + "/tree";
  const std::filesystem::path outside = lab::temporary_folder() + "/outside";
  make_tree(path, outside);
  const int root = lab::need_errno(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open");
  io_uring ring;
  lab::need(io_uring_queue_init(128, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);

  std::vector<Entry> entries = names_below(path);
  const double fan_out = milliseconds([&] { status_of_all(ring, root, entries, depth); });
  print_sizes(entries);
  const double one_by_one = milliseconds([&] {
    struct statx status {};
    for (const Entry& entry : entries)
      lab::need_errno(
          statx(root, entry.path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &status),
          "statx");
  });
  std::printf("# %zu names: %u in flight %.2f ms, one system call each %.2f ms\n", entries.size(),
              depth, fan_out, one_by_one);

  // [walk order]
  std::reverse(entries.begin(), entries.end());  // now a folder comes after what is in it
  remove_all(ring, root, entries);
  // [/walk]
  print_removed(entries);
  std::printf("the tree is empty: %s\n", std::filesystem::is_empty(path) ? "yes" : "no");
  std::printf("what the link pointed to: %s\n",
              std::filesystem::exists(outside / "dear") ? "still there" : "gone");
  close(root);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
