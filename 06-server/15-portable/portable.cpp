// shows: one protocol, carried by a ring and then, where a filter forbids rings, by libuv
// needs: Linux 6.1 for the ring, libuv for the rest
// try:   ./lab run 06-15; ./lab break 06-15; then ./lab serve --backend portable
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "01-core/lesson.hpp"
#include "01-core/lib/features.hpp"
#include "03-network/loopback.hpp"
#include "06-server/lib/engine/worker.hpp"
#include "06-server/lib/portable/portable_worker.hpp"
#include "06-server/lib/protocol/lines.hpp"

namespace {

constexpr unsigned clients = 32;
constexpr std::string_view first_question = "hello\n";
constexpr std::string_view first_answer = "1: hello\n";
constexpr std::string_view other_questions = "read poem\nbye\n";
constexpr lab::WorkerOptions options{
    .connections_max = 64, .buffer_count = 256, .buffer_size = 4096, .pooled_count = 16};

// What one engine did.
struct Told {
  unsigned right = 0;        // clients that heard what they should
  unsigned descriptors = 0;  // that it had for all of them together
  std::uint64_t receives = 0;
  std::uint64_t sends = 0;
  std::uint64_t enters = 0;  // system calls of a ring
};

// Descriptors that are sockets: for them the file system has links to "socket:[number]".
unsigned open_sockets() {
  unsigned count = 0;
  std::error_code gone;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const std::string target = std::filesystem::read_symlink(entry.path(), gone).string();
    if (target.starts_with("socket:")) ++count;
  }
  return count;
}

// What this thread may call from here on: all but io_uring_setup, as in many a container.
void forbid_io_uring() {
  std::array rules{
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{.len = rules.size(), .filter = rules.data()};
  lab::need_errno(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS");
  lab::need_errno(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), "PR_SET_SECCOMP");
}

// The clients, and the moments in which both sides wait for each other.
struct Crowd {
  explicit Crowd(std::uint16_t where) : port(where) {}

  std::uint16_t port;
  std::atomic<bool> inside = false;   // all were answered once, and none has left
  std::atomic<bool> counted = false;  // the server has counted
  std::atomic<bool> done = false;
  unsigned right = 0;

  void ask(const std::string& wanted) {
    std::vector<int> fds;
    for (unsigned client = 0; client < clients; ++client) fds.push_back(lab::connect_to(port));
    for (const int fd : fds) lab::send_all(fd, first_question);
    for (const int fd : fds) lab::receive(fd, lab::Lines::greeting.size() + first_answer.size());
    inside = true;
    inside.notify_all();
    counted.wait(false);
    for (const int fd : fds) lab::send_all(fd, other_questions);
    for (const int fd : fds) {
      if (lab::receive(fd, 1 << 20) == wanted) ++right;  // to the FIN behind "bye"
      close(fd);
    }
    done = true;
  }
};

// [walk serve]
// Whatever the engine, a worker is told where to listen, is given its turns, and is drained.
template <class Engine>
Told serve(Engine& worker, const lab::WorkerStats& stats, const std::string& wanted) {
  std::uint16_t port = 0;
  const int listener = lab::listen_on_loopback(port);
  worker.start(listener, -1);
  const unsigned before = open_sockets();

  Crowd crowd(port);
  lab::ClientThread thread([&] { crowd.ask(wanted); });
  while (!crowd.inside) worker.run_once();  // returns after 25 ms at the latest, for its tick
  // The clients' own ends are descriptors of this process, too.
  Told told{.descriptors = open_sockets() - before - clients};
  crowd.counted = true;
  crowd.counted.notify_all();
  while (!crowd.done) worker.run_once();
  worker.drain();
  if (!worker.run()) lab::fail("something is still in flight");
  thread.join();
  close(listener);
  // [/walk]
  told.right = crowd.right;
  told.receives = stats.get(lab::Stat::receives);
  told.sends = stats.get(lab::Stat::sends);
  told.enters = stats.get(lab::Stat::enters);
  return told;
}

// [walk choose]
Told serve_somehow(lab::Lines::Shared& shared, const std::string& wanted) {
  const lab::Features features = lab::Features::detect();  // by trying each of them
  const lab::Feature missing = features.missing();
  const bool has_ring = missing == lab::Feature::count;
  lab::WorkerStats stats;
  if (has_ring) {
    std::printf("taken: io_uring\n");
    lab::Worker<lab::Lines> worker(options, features, stats, shared);
    return serve(worker, stats, wanted);
  }
  std::printf("taken: libuv, for io_uring says \"%s\"\n", std::strerror(features.error(missing)));
  lab::PortableWorker<lab::Lines> worker(options, stats, shared);
  return serve(worker, stats, wanted);
}
// [/walk]

void print(const char* engine, const Told& told) {
  std::printf("%s: %u clients, %u descriptors, %u right answers\n", engine, clients,
              told.descriptors, told.right);
}

}  // namespace

int main(int argc, char** argv) {
  const lab::Lesson lesson(argc, argv);
  if (lab::Features::detect().missing() != lab::Feature::count) {
    lab::skip("there is no io_uring to compare with (./lab doctor says why)");
  }
  std::string poem;
  for (int line = 1; line <= 400; ++line) poem += "line " + std::to_string(line) + " of a poem\n";
  const int fd = lab::need_errno(memfd_create("poem", MFD_CLOEXEC), "memfd_create");
  lab::need_errno(static_cast<int>(write(fd, poem.data(), poem.size())), "write");
  const std::array files{lab::LineFile{.name = "poem", .fd = fd, .size = poem.size()}};
  lab::Lines::Shared shared{.files = files};
  const std::string wanted =
      "2: " + std::to_string(poem.size()) + " bytes of poem\n" + poem + "3: bye\n";

  try {
    const Told ring = serve_somehow(shared, wanted);
    print("the ring", ring);
    forbid_io_uring();
    const Told other = serve_somehow(shared, wanted);
    print("libuv", other);
    std::printf("# the ring: %ju receives and %ju sends in %ju system calls\n", ring.receives,
                ring.sends, ring.enters);
    std::printf("# libuv: %ju receives and %ju sends, each a system call\n", other.receives,
                other.sends);
    lab::effect(ring.enters < ring.receives + ring.sends,
                "a call of the ring does the work of several", std::to_string(ring.enters));
  } catch (const std::system_error& error) {
    lab::fail(error.what());
  }
  return lab::ok();
}
