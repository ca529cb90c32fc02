// What holds for every program here, whatever it does: a refused system call is no bug, a stream
// that is closed is not somebody's file, and a word means what it says.

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "tests/programs/program.hpp"
#include "tests/refuse_calls.hpp"

namespace lab {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

using Words = std::vector<std::string>;

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string make_file(const Folder& folder, const std::string& name, const std::string& text) {
  std::ofstream(folder.file(name)) << text;
  return folder.file(name);
}

// A listener, so that ringload comes as far as its ring.
class Listening {
 public:
  Listening() : fd_(check_errno(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_addr = in6addr_loopback;
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    if (bind(fd_.get(), any, size) != 0) return;
    check_errno(listen(fd_.get(), 256), "listen");
    check_errno(getsockname(fd_.get(), any, &size), "getsockname");
    port_ = ntohs(address.sin6_port);
  }
  /// False on a machine without IPv6.
  bool there() const { return port_ != 0; }
  std::string port() const { return std::to_string(port_); }

 private:
  Fd fd_;
  std::uint16_t port_ = 0;
};

// A profile that allows the set-up of a ring alone, as people write it who have heard of one call.
class Refused : public testing::TestWithParam<int> {
 protected:
  void expect_refused(const char* program, const Words& words) {
    const int error = GetParam();
    const Ended run =
        run_program(program, words, [error] { refuse_calls({SYS_io_uring_enter}, error); });
    EXPECT_GE(run.exit, 1) << program << ": " << run.all();
    EXPECT_LE(run.exit, 2) << program << ": " << run.all();
    EXPECT_THAT(run.errors, HasSubstr("io_uring_enter")) << program;
    EXPECT_THAT(run.errors, HasSubstr("seccomp")) << program;
    EXPECT_THAT(run.errors, HasSubstr(std::strerror(error))) << program;
  }

  Folder folder_;
};

TEST_P(Refused, EnteringARingIsAnErrorAndNoBug) {
  const std::string file = make_file(folder_, "file", std::string(65536, 'x'));
  expect_refused(LAB_RINGIO, {"--buffered", "--count", "4", "--depth", "4", file});
  expect_refused(LAB_RING_CP, {file, folder_.file("copy")});
  expect_refused(LAB_RING_CAT, {file});
  const Listening server;
  if (server.there()) expect_refused(LAB_RINGLOAD, {"::1", server.port(), "--count", "1"});
}

TEST_P(Refused, EnteringARingIsExplainedByServerAndDoctor) {
  const int error = GetParam();
  const auto refuse = [error] { refuse_calls({SYS_io_uring_enter}, error); };
  const Words io_uring{"--port", "0", "--backend", "io_uring"};
  const Ended server = run_program(LAB_ECHO_SERVER, io_uring, refuse);
  EXPECT_EQ(server.exit, 1) << server.all();
  EXPECT_THAT(server.errors, HasSubstr("cannot start: "));
  EXPECT_THAT(server.errors, AnyOf(HasSubstr("seccomp profile"), HasSubstr("a sandbox hides it")));
  const Ended doctor = run_program(LAB_DOCTOR, {}, refuse);
  EXPECT_EQ(doctor.exit, 1) << doctor.all();
  EXPECT_THAT(doctor.output, HasSubstr("[ FAIL ] ring  "));
  EXPECT_THAT(doctor.output, HasSubstr("The capstone does not run here"));
}

INSTANTIATE_TEST_SUITE_P(With, Refused, testing::Values(EPERM, EACCES, ENOSYS),
                         [](const auto& test) { return "errno_" + std::to_string(test.param); });

// ring-trace makes no ring: it looks at those of others.
TEST(RefusedEnter, IsNothingToRingTrace) {
  const std::string self = std::to_string(getpid());
  const Words words{self, "--no-latencies"};
  const Ended free = run_program(LAB_RING_TRACE, words);
  const Ended refused =
      run_program(LAB_RING_TRACE, words, [] { refuse_calls({SYS_io_uring_enter}, EPERM); });
  EXPECT_EQ(refused.exit, free.exit) << refused.all();
  EXPECT_EQ(refused.all(), free.all());
}

// Only registering is refused: what needs it says so, what can do without does.
TEST(RefusedRegister, IsAnErrorAndNoBug) {
  const Folder folder;
  const std::string file = make_file(folder, "file", std::string(65536, 'x'));
  const auto refuse = [] { refuse_calls({SYS_io_uring_register}, EPERM); };
  for (const auto& [program, words] : std::vector<std::pair<const char*, Words>>{
           {LAB_RINGIO, {"--buffered", "--count", "4", "--depth", "4", file}},
           {LAB_RING_CP, {file, folder.file("copy")}},
           {LAB_RING_CAT, {file}},
           {LAB_ECHO_SERVER, {"--port", "0", "--backend", "io_uring"}},
           {LAB_DOCTOR, {}}}) {
    const Ended run = run_program(program, words, refuse);
    EXPECT_LE(run.exit, 2) << program << ": " << run.all();
    if (run.exit == 0) continue;
    EXPECT_THAT(run.all(), AnyOf(HasSubstr("Operation not permitted"), HasSubstr("seccomp")))
        << program;
  }
}

TEST(WrongUsage, NamesTheProgramAndTheWordThatIsUnknown) {
  const std::pair<const char*, const char*> programs[] = {{LAB_RINGIO, "ringio"},
                                                          {LAB_RINGLOAD, "ringload"},
                                                          {LAB_RING_CP, "ring-cp"},
                                                          {LAB_RING_CAT, "ring-cat"},
                                                          {LAB_RING_TRACE, "ring-trace"}};
  for (const auto& [program, name] : programs) {
    const Ended run = run_program(program, {"--nope"});
    EXPECT_EQ(run.exit, 2) << name;
    EXPECT_THAT(run.errors, testing::StartsWith(std::string(name) + ": "));
    EXPECT_THAT(run.errors, HasSubstr("not expected: --nope"));
    EXPECT_THAT(run.errors, HasSubstr(std::string("Run ") + name + " --help"));
  }
}

TEST(WrongUsage, AnEmptyNameIsNoFile) {
  const Folder folder;
  const std::string file = make_file(folder, "file", "x");
  for (const auto& [program, words] :
       std::vector<std::pair<const char*, Words>>{{LAB_RINGIO, {""}},
                                                  {LAB_RING_CP, {"", folder.file("copy")}},
                                                  {LAB_RING_CP, {file, ""}},
                                                  {LAB_RING_CAT, {file, ""}}}) {
    const Ended run = run_program(program, words);
    EXPECT_EQ(run.exit, 2) << program << ": " << run.all();
    EXPECT_THAT(run.errors, HasSubstr("'' is no name")) << program;
  }
}

TEST(Numbers, AreDecimal) {
  const Folder folder;
  const std::string file = make_file(folder, "file", std::string(65536, 'x'));
  const Ended ten =
      run_program(LAB_RINGIO, {"--buffered", "--count", "16", "--depth", "010", file});
  EXPECT_EQ(ten.exit, 0) << ten.all();
  EXPECT_THAT(ten.output, HasSubstr("depth 10,"));
  const Ended unit = run_program(
      LAB_RINGIO, {"--buffered", "--count", "16", "--block-size", "4KiB", "--size", "64k", file});
  EXPECT_EQ(unit.exit, 0) << unit.all();
  for (const auto& [program, words] : std::vector<std::pair<const char*, Words>>{
           {LAB_RINGIO, {"--depth", "0x10", file}}, {LAB_RINGLOAD, {"127.0.0.1", "0x50"}}}) {
    const Ended run = run_program(program, words);
    EXPECT_EQ(run.exit, 2) << program << ": " << run.all();
    EXPECT_THAT(run.errors, HasSubstr("is no decimal number")) << program;
  }
}

TEST(RingCp, SaysThatAFolderIsMissing) {
  const Folder folder;
  const std::string file = make_file(folder, "file", "x");
  const Ended run = run_program(LAB_RING_CP, {file, folder.file("nowhere/")});
  EXPECT_EQ(run.exit, 1) << run.all();
  EXPECT_THAT(run.errors, HasSubstr("nowhere/: there is no such folder. Cure: "));
}

void close_output() { close(STDOUT_FILENO); }

TEST(ClosedOutput, IsNoSuccess) {
  const Folder folder;
  const std::string file = make_file(folder, "file", std::string(65536, 'x'));
  for (const auto& [program, words] : std::vector<std::pair<const char*, Words>>{
           {LAB_RINGIO, {"--buffered", "--count", "4", "--depth", "4", file}},
           {LAB_RINGIO, {"--help"}},
           {LAB_RING_CAT, {file}},
           {LAB_RING_TRACE, {std::to_string(getpid()), "--no-latencies"}}}) {
    EXPECT_NE(run_program(program, words, close_output).exit, 0) << program;
  }
  EXPECT_TRUE(text_of(file) == std::string(65536, 'x'));
}

// Every way in which standard streams can be closed: the first file that is opened gets none of
// their numbers.
TEST(ClosedStreams, AreNobodysFile) {
  const Folder folder;
  for (unsigned closed = 1; closed < 8; ++closed) {
    const std::string from = make_file(folder, "from", "what is copied");
    const std::string to = make_file(folder, "to", "what was there");
    const auto close_some = [closed] {
      for (int fd = 0; fd <= STDERR_FILENO; ++fd) {
        if ((closed & (1U << fd)) != 0) close(fd);
      }
    };
    EXPECT_EQ(run_program(LAB_RING_CP, {from, to}, close_some).exit, 0) << closed;
    EXPECT_EQ(text_of(from), "what is copied") << closed;
    EXPECT_EQ(text_of(to), "what is copied") << closed;
    run_program(LAB_RING_CP, {from, from}, close_some);  // complains
    EXPECT_EQ(text_of(from), "what is copied") << closed;
  }
}

// The parser's own syntax: a list, nothing, a separator. They are names like any other.
const char* const odd_names[] = {"[x]", "[x,y]",  "[]",  "{}", "%%",
                                 "-x",  "--help", "a,b", "[",  "x=y"};

TEST(OddNames, AreNames) {
  for (const std::string name : odd_names) {
    const Folder folder;
    for (const char* decoy : {"x", "y", "x]", "a"})
      make_file(folder, decoy, std::string(8192, 'd'));
    make_file(folder, name, std::string(8192, 'n'));
    std::filesystem::permissions(folder.file(name), std::filesystem::perms::owner_all);
    const auto there = [&folder] {
      if (chdir(folder.file("").c_str()) != 0) _exit(126);
    };
    const Ended cat = run_program(LAB_RING_CAT, {"--", name, name}, there);
    EXPECT_EQ(cat.exit, 0) << name << cat.errors;
    EXPECT_TRUE(cat.output == std::string(16384, 'n')) << name;
    const Ended copy = run_program(LAB_RING_CP, {"--", name, "copy"}, there);
    EXPECT_EQ(copy.exit, 0) << name << copy.all();
    EXPECT_TRUE(text_of(folder.file("copy")) == std::string(8192, 'n')) << name;
    const Ended write = run_program(
        LAB_RINGIO,
        {"-m", "write", "--overwrite", "--buffered", "--count", "8", "--depth", "1", "--", name},
        there);
    EXPECT_EQ(write.exit, 0) << name << write.all();
    EXPECT_FALSE(text_of(folder.file(name)) == std::string(8192, 'n')) << name;
    for (const char* decoy : {"x", "y", "x]", "a"}) {
      EXPECT_TRUE(text_of(folder.file(decoy)) == std::string(8192, 'd')) << name << decoy;
    }
  }
}

TEST(Addresses, AreTakenAsServersPrintThem) {
  const Listening server;
  if (!server.there()) GTEST_SKIP() << "this machine has no IPv6";
  for (const Words& address : std::vector<Words>{
           {"[::1]:" + server.port()}, {"[::1]", server.port()}, {"::1", server.port()}}) {
    Words words = address;
    words.insert(words.end(),
                 {"--count", "1", "--warmup", "0", "--patience", "0.1", "--connections", "1"});
    const Ended run = run_program(LAB_RINGLOAD, words);
    EXPECT_EQ(run.exit, 1) << run.all();  // nobody answers, but it was found
    EXPECT_THAT(run.output, HasSubstr("[::1]:" + server.port()));
  }
  for (const char* program : {LAB_RINGLOAD, LAB_CONFORMANCE}) {
    const Ended none = run_program(program, {"[::1]"});
    EXPECT_EQ(none.exit, 2) << none.all();
    EXPECT_THAT(none.errors, HasSubstr("\"[::1]\" has no port. Cure: "));
    const Ended twice = run_program(program, {"[::1]:" + server.port(), server.port()});
    EXPECT_EQ(twice.exit, 2) << twice.all();
    EXPECT_THAT(twice.errors, HasSubstr("the port is given twice"));
  }
}

// The port is taken: the server has understood the address, and says so as it prints it.
TEST(Addresses, OfAServerMayHaveBrackets) {
  const Listening other;
  if (!other.there()) GTEST_SKIP() << "this machine has no IPv6";
  for (const char* program : {LAB_ECHO_SERVER, LAB_EPOLL_ECHO}) {
    const Ended run = run_program(program, {"--address", "[::1]", "--port", other.port()});
    EXPECT_NE(run.exit, 0);
    EXPECT_THAT(run.errors, HasSubstr("in use")) << program;
    EXPECT_THAT(run.errors, Not(HasSubstr("neither an IPv4 nor"))) << program;
  }
}

}  // namespace
}  // namespace lab
