// Judges one step of docs/from-epoll.md: starts the server, lets clients at it, and compares every
// byte. from-epoll-check STEP [CALLS]: CALLS is how many system calls a request may cost.
#include <fcntl.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <vector>

#include "01-core/lesson.hpp"
#include "03-network/loopback.hpp"

namespace {

const char* step = nullptr;

// One run of the step's program, for so many clients; then it ends by itself and says what it did.
class Run {
 public:
  explicit Run(int clients) {
    int ends[2];
    lab::need_errno(pipe2(ends, O_CLOEXEC), "pipe2");
    child_ = lab::need_errno(fork(), "fork");
    if (child_ == 0) {
      dup2(ends[1], STDOUT_FILENO);
      execl(step, step, std::to_string(clients).c_str(), nullptr);
      _exit(127);
    }
    close(ends[1]);
    output_ = fdopen(ends[0], "r");
    unsigned number = 0;
    if (std::fscanf(output_, "listening on 127.0.0.1:%u", &number) != 1) end("it does not listen");
    port = static_cast<std::uint16_t>(number);
  }

  // What the last lines say. Fails unless the program ended with OK.
  void join() {
    char word[8] = "";
    const int got = std::fscanf(output_, " receives: %ld, system calls: %ld %7s", &receives,
                                &system_calls, word);
    std::fclose(output_);
    int status = 0;
    waitpid(child_, &status, 0);
    if (got != 3 || status != 0) lab::fail("the server did not end with its figures and OK");
  }

  // Of what this client started, nothing stays behind.
  [[noreturn]] void end(const std::string& why) {
    char line[200] = "";
    if (std::fgets(line, sizeof line, output_) != nullptr) std::printf("it said: %s", line);
    kill(child_, SIGKILL);
    int status = 0;
    waitpid(child_, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) lab::skip("the step says it cannot run");
    lab::fail(why);
  }

  std::uint16_t port = 0;
  long receives = 0;
  long system_calls = 0;

 private:
  pid_t child_ = -1;
  std::FILE* output_ = nullptr;
};

// Bytes of which no two places look alike, so that lost, doubled and moved ones show.
std::string pattern(std::size_t size, unsigned seed) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) {
    seed = seed * 1664525 + 1013904223;
    byte = static_cast<char>(seed >> 24);
  }
  return bytes;
}

void compare(Run& run, const std::string& what, const std::string& sent, const std::string& got) {
  if (sent == got) return;
  std::size_t at = 0;
  while (at < got.size() && at < sent.size() && got[at] == sent[at]) ++at;
  run.end(what + ": sent " + std::to_string(sent.size()) + " bytes, got " +
          std::to_string(got.size()) + ", the first wrong one is number " + std::to_string(at));
}

void round_trip(Run& run, int fd, const std::string& bytes, const std::string& what) {
  std::string got;
  lab::ClientThread reader([&] { got = lab::receive(fd, bytes.size()); });
  lab::send_all(fd, bytes);
  reader.join();
  compare(run, what, bytes, got);
}

void content(Run& run) {
  const int fd = lab::connect_to(run.port);
  for (const std::size_t size : {1U, 2U, 64U, 4095U, 4096U, 4097U, 65'536U, 1U << 20}) {
    round_trip(run, fd, pattern(size, static_cast<unsigned>(size)), "content");
  }
  close(fd);
}

// FIN after the bytes: all of them have to come back, then the server's FIN.
void half_close(Run& run) {
  const int fd = lab::connect_to(run.port);
  const std::string bytes = pattern(1 << 20, 2);
  std::string got;
  lab::ClientThread reader([&] { got = lab::receive(fd, bytes.size() + 1); });
  lab::send_all(fd, bytes);
  shutdown(fd, SHUT_WR);
  reader.join();
  compare(run, "half-close", bytes, got);
  close(fd);
}

// A peer that sends and does not read: the server has to stop taking its bytes, serve a neighbour
// meanwhile, and give every byte back in order once the peer reads.
void back_pressure(Run& run) {
  const int fd = lab::connect_to(run.port);
  const std::string bytes = pattern(64 << 20, 3);
  std::size_t sent = 0;
  auto last = std::chrono::steady_clock::now();
  while (sent < bytes.size()) {
    const ssize_t res = send(fd, bytes.data() + sent, bytes.size() - sent, MSG_DONTWAIT);
    const auto now = std::chrono::steady_clock::now();
    if (res > 0) {
      sent += static_cast<std::size_t>(res);
      last = now;
    } else if (now - last > std::chrono::milliseconds(250)) {
      break;
    }
    if (res < 0) usleep(1000);
  }
  if (sent == bytes.size()) run.end("back-pressure: the server takes 64 MiB that nobody reads");
  const int neighbour = lab::connect_to(run.port);
  round_trip(run, neighbour, pattern(10'000, 4), "the neighbour of a peer that does not read");
  close(neighbour);
  shutdown(fd, SHUT_WR);
  compare(run, "back-pressure", bytes.substr(0, sent), lab::receive(fd, sent + 1));
  close(fd);
  std::printf("# taken before it stopped: %zu KiB\n", sent / 1024);
}

void reset(Run& run) {
  const int fd = lab::connect_to(run.port);
  const std::string bytes = pattern(256 << 10, 5);
  lab::need_errno(static_cast<int>(send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT)), "send");
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  lab::need_errno(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), "SO_LINGER");
  close(fd);
  const int next = lab::connect_to(run.port);
  round_trip(run, next, pattern(10'000, 6), "after a reset");
  close(next);
}

// Every client asks before any answer is read.
void crowd(Run& run, unsigned clients, unsigned rounds, std::size_t size) {
  std::vector<int> fds(clients);
  for (int& fd : fds) fd = lab::connect_to(run.port);
  for (unsigned round = 0; round < rounds; ++round) {
    for (unsigned one = 0; one < clients; ++one) {
      lab::send_all(fds[one], pattern(size, round * clients + one));
    }
    for (unsigned one = 0; one < clients; ++one) {
      const std::string sent = pattern(size, round * clients + one);
      compare(run, "a client of many", sent, lab::receive(fds[one], size));
    }
  }
  for (const int fd : fds) close(fd);
}

double calls_per_request(unsigned clients, unsigned rounds) {
  Run run(static_cast<int>(clients));
  crowd(run, clients, rounds, 64);
  run.join();
  const double calls = static_cast<double>(run.system_calls) / static_cast<double>(run.receives);
  std::printf("# %u clients: %.2f system calls per request\n", clients, calls);
  return calls;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) lab::fail("from-epoll-check STEP [CALLS]");
  step = argv[1];
  setvbuf(stdout, nullptr, _IOLBF, 0);
  {
    Run run(38);
    content(run);
    half_close(run);
    back_pressure(run);
    reset(run);
    crowd(run, 32, 20, 5'000);
    run.join();
  }
  const double calls = calls_per_request(1, 1'000);
  calls_per_request(32, 100);
  if (argc > 2 && calls > std::atof(argv[2])) lab::fail("more calls than its page says");
  return lab::ok();
}
