// shows: a process for each core, who gets a new client, and what the death of one process costs
// needs: Linux 6.1 for the ring it uses; the idea 4.5 (steering)
// try:   ./lab run 06-05; then Steering::hash instead of cpu: the first line is another one each
// time
#include <cstdio>
#include <thread>
#include <vector>

#include "06-server/05-per-core/processes.hpp"
#include "06-server/stage.hpp"

namespace {

// [walk clients]
// Clients whose connections are made by this processor. The thread is left where it was.
std::vector<int> clients_from(int cpu, std::size_t count, std::uint16_t port) {
  std::vector<int> fds(count);
  std::thread([&] {
    lab::pin_to_cpu(cpu);
    for (int& fd : fds) fd = lab::connect_to(port);
  }).join();
  return fds;
}
// [/walk]

// Asks all of them. @return how many answers came
std::size_t answered(const std::vector<int>& fds) {
  for (const int fd : fds) send(fd, "question", 8, MSG_NOSIGNAL);
  std::size_t count = 0;
  for (const int fd : fds) {
    std::string answer(8, ' ');
    if (recv(fd, answer.data(), answer.size(), MSG_WAITALL) == 8 && answer == "question") ++count;
  }
  return count;
}

// [walk deaths]
// The worker stands still while new clients come, and then it dies.
void demonstrate(stage::Processes& processes, const std::vector<int>& cpus) {
  const std::uint16_t port = processes.listeners().port();
  const std::vector<int> first = clients_from(cpus[0], 8, port);
  const std::vector<int> second = clients_from(cpus[1], 8, port);
  const auto waiting = [&](unsigned worker) { return processes.listeners().of(worker)->waiting(); };
  while (waiting(0) + waiting(1) < 16) sched_yield();  // this may lag behind connect()
  std::printf("8 clients from each of two processors wait at their listeners: %u and %u\n",
              waiting(0), waiting(1));
  processes.start_all();
  std::printf("answered: %zu and %zu\n", answered(first), answered(second));

  kill(processes.pid(0), SIGSTOP);
  lab::need_errno(waitpid(processes.pid(0), nullptr, WUNTRACED), "waitpid");
  const std::vector<int> late = clients_from(cpus[0], 4, port);
  kill(processes.pid(0), SIGKILL);
  processes.supervise_once();
  std::printf("worker 0 has died. Its clients that are answered: %zu\n", answered(first));
  std::printf("clients of worker 1 that are answered: %zu\n", answered(second));
  std::printf("of 4 clients that waited at its listener: %zu\n", answered(late));
  for (const auto& group : {first, second, late}) {
    for (const int fd : group) close(fd);
  }
}
// [/walk]

}  // namespace

int main(int argc, char** argv) {
  const bool serves = stage::wants_to_serve(argc, argv);
  lab::Lesson lesson(argc, argv, "[serve]: serves until SIGTERM; without: a demonstration",
                     serves ? 86'400 : 20);
  const std::vector<int> cpus = lab::allowed_cpus();
  if (cpus.size() < 2) lab::skip("two processors are needed, and this process may use one");
  // [walk main]
  stage::Processes processes(
      {.workers = 2, .steering = lab::Steering::cpu},
      {.zero_copy = lab::ZeroCopyMode::never});  // nothing to be won on loopback
  // [/walk]
  if (serves) {
    processes.start_all();
    stage::say_where(processes.listeners().port());
    for (;;) processes.supervise_once();
  }
  demonstrate(processes, cpus);
  return lab::ok();
}
