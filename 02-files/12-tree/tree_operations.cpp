// shows: the other operations on names, one row each: what the CQE says and what the tree shows
// needs: Linux 5.19; ftruncate needs Linux 6.9
// try:   ./lab run 02-12-tree-tree_operations; then give renameat RENAME_EXCHANGE
#include <fcntl.h>
#include <liburing.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>

#include "01-core/lesson.hpp"

namespace {

namespace fs = std::filesystem;

struct Place {
  int root;                ///< what the relative paths below are relative to
  fs::path path;           ///< the same folder, for looking
  int file = -1;           ///< what openat gave
  std::string xattr_path;  ///< setxattr and getxattr take no folder
  char value[8] = "";
  // [walk rules]
  // How openat2 may walk. The kernel reads them at submission.
  open_how without_links{.flags = O_RDONLY | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
  open_how beneath{.flags = O_RDONLY | O_CLOEXEC, .resolve = RESOLVE_BENEATH};
  // [/walk]
};

// One operation. `shows` looks at the tree with ordinary calls: is it as it should be now?
struct Row {
  const char* name;
  void (*prepare)(io_uring_sqe* sqe, Place& place);
  bool (*shows)(const Place& place);
};

bool is_there(const Place& place, const char* name) {
  return fs::exists(fs::symlink_status(place.path / name));
}

const Row rows[] = {
    {"mkdirat folder",
     [](io_uring_sqe* sqe, Place& at) { io_uring_prep_mkdirat(sqe, at.root, "folder", 0700); },
     [](const Place& at) { return fs::is_directory(at.path / "folder"); }},
    {"mkdirat folder, again",
     [](io_uring_sqe* sqe, Place& at) { io_uring_prep_mkdirat(sqe, at.root, "folder", 0700); },
     [](const Place& at) { return fs::is_directory(at.path / "folder"); }},
    {"openat nothing",
     [](io_uring_sqe* sqe, Place& at) {
       io_uring_prep_openat(sqe, at.root, "nothing", O_RDWR | O_CLOEXEC, 0);
     },
     [](const Place& at) { return !is_there(at, "nothing"); }},
    {"openat folder/a",
     [](io_uring_sqe* sqe, Place& at) {
       io_uring_prep_openat(sqe, at.root, "folder/a", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
     },
     [](const Place& at) { return is_there(at, "folder/a"); }},
    {"fallocate 8192",
     [](io_uring_sqe* sqe, Place& at) { io_uring_prep_fallocate(sqe, at.file, 0, 0, 8192); },
     [](const Place& at) { return fs::file_size(at.path / "folder/a") == 8192; }},
    {"ftruncate 100",
     [](io_uring_sqe* sqe, Place& at) { io_uring_prep_ftruncate(sqe, at.file, 100); },
     [](const Place& at) { return fs::file_size(at.path / "folder/a") == 100; }},
    {"linkat folder/b",
     [](io_uring_sqe* sqe, Place& at) {
       io_uring_prep_linkat(sqe, at.root, "folder/a", at.root, "folder/b", 0);
     },
     [](const Place& at) { return fs::hard_link_count(at.path / "folder/a") == 2; }},
    {"symlinkat folder/c",
     [](io_uring_sqe* sqe, Place& at) { io_uring_prep_symlinkat(sqe, "a", at.root, "folder/c"); },
     [](const Place& at) { return fs::read_symlink(at.path / "folder/c") == "a"; }},
    {"openat2 c, without links",
     [](io_uring_sqe* sqe, Place& at) {
       io_uring_prep_openat2(sqe, at.root, "folder/c", &at.without_links);
     },
     [](const Place& at) { return is_there(at, "folder/c"); }},
    {"openat2 .., beneath",
     [](io_uring_sqe* sqe, Place& at) {
       io_uring_prep_openat2(sqe, at.root, "folder/../..", &at.beneath);
     },
     [](const Place& at) { return is_there(at, "folder/../.."); }},
    {"renameat b to d",
     [](io_uring_sqe* sqe, Place& at) {
       io_uring_prep_renameat(sqe, at.root, "folder/b", at.root, "folder/d", 0);
     },
     [](const Place& at) { return is_there(at, "folder/d") && !is_there(at, "folder/b"); }},
    {"renameat c to d, NOREPLACE",
     [](io_uring_sqe* sqe, Place& at) {
       io_uring_prep_renameat(sqe, at.root, "folder/c", at.root, "folder/d", RENAME_NOREPLACE);
     },
     [](const Place& at) { return is_there(at, "folder/c") && is_there(at, "folder/d"); }},
    {"setxattr user.lab",
     [](io_uring_sqe* sqe, Place& at) {
       io_uring_prep_setxattr(sqe, "user.lab", "seen", at.xattr_path.c_str(), 0, 4);
     },
     [](const Place& at) { return getxattr(at.xattr_path.c_str(), "user.lab", nullptr, 0) == 4; }},
    {"getxattr user.lab",
     [](io_uring_sqe* sqe, Place& at) {
       io_uring_prep_getxattr(sqe, "user.lab", at.value, at.xattr_path.c_str(), sizeof at.value);
     },
     [](const Place& at) { return std::strcmp(at.value, "seen") == 0; }},
    {"unlinkat folder, as a file",
     [](io_uring_sqe* sqe, Place& at) { io_uring_prep_unlinkat(sqe, at.root, "folder", 0); },
     [](const Place& at) { return is_there(at, "folder"); }},
    {"unlinkat folder, not empty",
     [](io_uring_sqe* sqe, Place& at) {
       io_uring_prep_unlinkat(sqe, at.root, "folder", AT_REMOVEDIR);
     },
     [](const Place& at) { return is_there(at, "folder"); }},
    {"unlinkat c, a link",
     [](io_uring_sqe* sqe, Place& at) { io_uring_prep_unlinkat(sqe, at.root, "folder/c", 0); },
     [](const Place& at) { return !is_there(at, "folder/c") && is_there(at, "folder/a"); }},
    {"close a", [](io_uring_sqe* sqe, Place& at) { io_uring_prep_close(sqe, at.file); },
     [](const Place& at) { return fcntl(at.file, F_GETFD) == -1; }},
};

struct Results {
  int res;
  int next_res;
};

// A NOP hangs on the operation by a soft link: it is cancelled when the operation breaks the link.
Results results_of(io_uring& ring, const Row& row, Place& place) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  row.prepare(sqe, place);
  io_uring_sqe_set_flags(sqe, IOSQE_IO_LINK);
  sqe = io_uring_get_sqe(&ring);
  io_uring_prep_nop(sqe);
  lab::need(io_uring_submit_and_wait(&ring, 2), "io_uring_submit_and_wait");
  int results[2];  // of a chain, the answers come in order
  for (int& res : results) {
    io_uring_cqe* cqe = nullptr;
    lab::need(io_uring_wait_cqe(&ring, &cqe), "io_uring_wait_cqe");
    res = cqe->res;
    io_uring_cqe_seen(&ring, cqe);
  }
  return {results[0], results[1]};
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  const std::string& path = lab::temporary_folder();
  Place place{.root = lab::need_errno(open(path.c_str(), O_DIRECTORY | O_CLOEXEC), "open"),
              .path = path,
              .xattr_path = path + "/folder/a"};
  io_uring ring;
  lab::need(io_uring_queue_init(8, &ring, 0), "io_uring_queue_init");
  lesson.watch(ring);
  for (const Row& row : rows) {
    const auto [res, next_res] = results_of(ring, row, place);
    const std::string_view name = row.name;
    if (name.starts_with("ftruncate") && res == -EINVAL) {
      std::printf("skip ftruncate: needs Linux 6.9\n");
      continue;
    }
    std::string text = res < 0 ? std::strerror(-res) : std::to_string(res);
    if (name.starts_with("openat") && res >= 0) {
      place.file = res;
      text = "a descriptor";
    }
    std::printf("%-27s %s%s\n", row.name, text.c_str(), row.shows(place) ? ", seen" : ", NOT SEEN");
    if (res < 0) std::printf("  the next one %s\n", next_res == 0 ? "ran" : "was cancelled");
  }
  close(place.root);
  io_uring_queue_exit(&ring);
  return lab::ok();
}
