#include "05-performance/bench/memory.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <chrono>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "01-core/lib/check.hpp"
#include "02-files/lib/fd.hpp"
#include "05-performance/ringload/processor_time.hpp"

namespace lab {

namespace {

using namespace std::chrono_literals;

std::vector<Fd> open_connections(std::uint16_t port, unsigned count) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < count + 16) {
    throw std::runtime_error(
        fmt::format("{} connections need as many descriptors, and {} are allowed (ulimit -Hn)",
                    count, limit.rlim_cur));
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::vector<Fd> connections;
  for (unsigned index = 0; index < count; ++index) {
    Fd fd(check_errno(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    const linger reset{.l_onoff = 1, .l_linger = 0};  // no port stays in TIME_WAIT
    setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    check_errno(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address),
                "connect");
    connections.push_back(std::move(fd));
  }
  return connections;
}

// A question and its answer on each: a connection that is only in the backlog is not the server's
// yet.
void use_once(const std::vector<Fd>& connections, std::string_view question,
              std::size_t answer_size) {
  for (const Fd& fd : connections) {
    check_errno(static_cast<int>(send(fd.get(), question.data(), question.size(), 0)), "send");
  }
  std::vector<char> answer(answer_size);
  for (const Fd& fd : connections) {
    const auto count = recv(fd.get(), answer.data(), answer.size(), MSG_WAITALL);
    if (check_errno(static_cast<int>(count), "recv") != static_cast<int>(answer.size())) {
      throw std::runtime_error("the server closed an idle connection");
    }
  }
}

std::uint64_t resident_when_still(pid_t root) {
  std::uint64_t before = resident_bytes(root);
  for (int same = 0, tries = 0; same < 5 && tries < 100; ++tries) {
    std::this_thread::sleep_for(100ms);
    const std::uint64_t now = resident_bytes(root);
    same = now == before ? same + 1 : 0;
    before = now;
  }
  return before;
}

}  // namespace

std::uint64_t resident_bytes(pid_t root) {
  std::uint64_t sum = 0;
  for (const pid_t pid : process_tree(root)) {
    std::ifstream file(fmt::format("/proc/{}/smaps_rollup", pid));
    for (std::string word; file >> word;) {
      if (std::uint64_t kib = 0; word == "Rss:" && file >> kib) sum += kib * 1024;
    }
  }
  return sum;
}

MemoryResult measure_memory(const std::string& name, const Server& server, unsigned connections,
                            std::string_view question, std::size_t answer_size) {
  MemoryResult result{.server = name, .connections = connections};
  result.start_bytes = resident_when_still(server.pid());
  const std::vector<Fd> open = open_connections(server.port(), connections);
  use_once(open, question, answer_size);
  result.idle_bytes = resident_when_still(server.pid());
  return result;
}

std::string to_text(const MemoryResult& result) {
  const auto mib = [](auto bytes) { return static_cast<double>(bytes) / (1 << 20); };
  return fmt::format(
      "{:<20} {:>8.2f} MiB after start, {:>8.2f} MiB with {} idle connections: "
      "{:+.2f} MiB, {:.0f} B a connection",
      result.server, mib(result.start_bytes), mib(result.idle_bytes), result.connections,
      mib(result.growth_bytes()), static_cast<double>(result.growth_bytes()) / result.connections);
}

}  // namespace lab
