#include "tests/server/worker_thread.hpp"

#include <sys/socket.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "01-core/lib/check.hpp"

namespace lab {

WorkerThread::WorkerThread(const WorkerOptions& options, const Features& features, Loop loop)
    : options_(options), features_(features), loop_(std::move(loop)) {
  // Connections inherit it: a peer that does not read is noticed after kilobytes, not megabytes.
  const int send_buffer = 64 << 10;
  check_errno(setsockopt(listener_.fd(), SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer),
              "SO_SNDBUF");
  int pair[2];
  check_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
  control_ = Fd(pair[0]);
  std::promise<void> started;
  thread_ = std::thread([this, theirs = pair[1], &started] { serve(theirs, started); });
  try {
    started.get_future().get();
  } catch (...) {
    thread_.join();
    throw;
  }
}

WorkerThread::~WorkerThread() {
  if (!thread_.joinable()) return;
  if (control_) drain();
  join();
}

void WorkerThread::command(char command) {
  ASSERT_EQ(send(control_.get(), &command, 1, MSG_NOSIGNAL), 1);
}

bool WorkerThread::join() {
  if (result_.wait_for(patience) != std::future_status::ready) {
    std::fprintf(stderr, "the worker did not end: %llu accepted, %llu closed\n",
                 static_cast<unsigned long long>(stat(Stat::accepted)),
                 static_cast<unsigned long long>(stat(Stat::closed)));
    std::abort();  // a thread cannot be ended from outside
  }
  thread_.join();
  return result_.get();
}

const Features& WorkerThread::all_features() {
  static const Features features = Features::detect();
  return features;
}

void WorkerThread::serve(int control_fd, std::promise<void>& started) {
  const Fd control(control_fd);
  std::unique_ptr<EchoWorker> worker;
  try {
    worker = std::make_unique<EchoWorker>(options_, features_, *stats_, shared_);
  } catch (...) {
    started.set_exception(std::current_exception());
    return;
  }
  worker->start(listener_.fd(), control.get());
  report_ = worker->report();
  started.set_value();
  const bool clean = loop_(*worker);
  if (clean) {
    worker.reset();
  } else {
    std::fprintf(stderr, "the worker ended with %u connections, %u operations in flight\n",
                 worker->open_connections(), worker->ring().armed_count());
    // The kernel may still use its memory: it stays, reachable, until the process ends.
    static auto* const kept = new std::vector<std::unique_ptr<EchoWorker>>;
    kept->push_back(std::move(worker));
  }
  ended_.set_value(clean);
}

}  // namespace lab
