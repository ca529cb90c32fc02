// One generation in several processes, and several generations in one.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <liburing.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "01-core/lib/check.hpp"
#include "06-server/lib/site/site.hpp"
#include "06-server/lib/site/site_build.hpp"
#include "06-server/lib/site/site_builder.hpp"
#include "06-server/lib/site/site_error.hpp"
#include "06-server/lib/site/site_parcel.hpp"
#include "tests/site/site_fixture.hpp"

namespace lab {
namespace {

// Runs it in a child. What it returns is its exit code.
template <class Body>
int in_child(const Body& body) {
  const pid_t pid = check_errno(fork(), "fork");
  if (pid == 0) {
    int code = 99;
    try {
      code = body();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "in the child: %s\n", error.what());
    }
    _exit(code);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// How /proc/self/maps calls the mapping: "r--s".
std::string access_of(const void* position) {
  std::ifstream maps("/proc/self/maps");
  std::string line;
  while (std::getline(maps, line)) {
    unsigned long from = 0, to = 0;
    char access[5] = "";
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &from, &to, access) != 3) continue;
    const auto address = reinterpret_cast<unsigned long>(position);
    if (from <= address && address < to) return access;
  }
  return "(none)";
}

class Sharing : public SiteTest {
 protected:
  Sharing() {
    options_.memory_limit_file = 10'000;
    folder_.write("index.html", prose(5000));
    folder_.write("a/index.html", "a");
    folder_.write("large.bin", noise(20'000));
  }
  SiteFiles build() const { return build_site(options_); }
  std::unique_ptr<Generation> generation() const { return std::make_unique<Generation>(build()); }
};

// All of it, by its answers.
int check_all(const Generation& site) {
  const Found top = site.find("/");
  if (top.kind != Found::Kind::file) return 1;
  if (text_of(top.resource->variants.front().body) != prose(5000)) return 2;
  if (top.resource->variants.size() != 4) return 3;
  if (site.find("/a").location != "/a/") return 4;
  const Found large = site.find("/large.bin");
  if (large.kind != Found::Kind::file) return 5;
  const Variant& one = large.resource->variants.front();
  std::string text(one.size, '\0');
  if (read_file(one.fd, 0, std::as_writable_bytes(std::span(text)), "large") != 20'000) return 6;
  return text == noise(20'000) ? 0 : 7;
}

TEST_F(Sharing, AChildHasWhatItsParentHas) {
  load();
  EXPECT_EQ(in_child([&] { return check_all(*site_); }), 0);
}

TEST_F(Sharing, AParcelCarriesAGenerationToARunningProcess) {
  const Fd parcel = pack_site(build());
  // Other mappings and descriptors there: addresses and numbers are not the same.
  EXPECT_EQ(
      in_child([&] {
        static_cast<void>(mmap(nullptr, 1 << 24, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        for (unsigned number = 0; number < 20; ++number) static_cast<void>(dup(0));
        return check_all(Generation(unpack_site(parcel)));
      }),
      0);
}

TEST_F(Sharing, AParcelCarriesHundredsOfDescriptors) {
  for (unsigned number = 0; number < 600; ++number) {
    folder_.write("many/" + std::to_string(number), noise(11'000) + std::to_string(number));
  }
  const Generation site(unpack_site(pack_site(build())));
  EXPECT_EQ(site.descriptors().size(), 602U);
  for (unsigned number = 0; number < 600; ++number) {
    const Variant& one = site.find("/many/" + std::to_string(number)).resource->variants.front();
    std::string tail(one.size - 11'000, '\0');
    read_file(one.fd, 11'000, std::as_writable_bytes(std::span(tail)), "tail");
    EXPECT_EQ(tail, std::to_string(number));
  }
}

TEST_F(Sharing, AParcelThatDoesNotFitIsRefusedWithItsCure) {
  const SiteFiles files = build();
  const Fd parcel = pack_site(files);
  const int code = in_child([&] {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = static_cast<rlim_t>(dup(0)) + 1;
    setrlimit(RLIMIT_NOFILE, &limit);
    try {
      unpack_site(parcel);
    } catch (const SiteError& error) {
      limit.rlim_cur = before;  // UBSan wants a descriptor to look at the exception
      setrlimit(RLIMIT_NOFILE, &limit);
      return std::string(error.what()).find("Cure: raise ulimit -n") != std::string::npos ? 0 : 1;
    }
    return 2;
  });
  EXPECT_EQ(code, 0);
}

TEST_F(Sharing, WhatIsNoParcelIsRefused) {
  int pair[2];
  check_errno(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
  const Fd first(pair[0]);
  Fd second(pair[1]);
  EXPECT_THROW(unpack_site(first), SiteError) << "nothing there, and it does not wait";
  check_errno(static_cast<int>(write(second.get(), "0123456789abcdef", 16)), "write");
  EXPECT_THROW(unpack_site(first), SiteError);
  second.reset();
  EXPECT_THROW(unpack_site(first), SiteError);
}

TEST_F(Sharing, TheMemoryNeverChanges) {
  load();
  const std::byte* memory = variant("/", Coding::identity)->body.data();
  EXPECT_EQ(access_of(memory), "r--s");
  EXPECT_EQ(ftruncate(site_->files().memory.get(), 100), -1) << "it would be a SIGBUS for others";
  EXPECT_EQ(errno, EPERM);
}

TEST_F(Sharing, MemoryThatIsNoSiteIsRefused) {
  SiteFiles files;
  files.memory = Fd(check_errno(memfd_create("none", MFD_CLOEXEC), "memfd_create"));
  check_errno(ftruncate(files.memory.get(), 8192), "ftruncate");
  EXPECT_THROW(Generation(std::move(files)), SiteError);
  SiteFiles incomplete = build();
  incomplete.streamed.clear();
  EXPECT_THROW(Generation(std::move(incomplete)), SiteError);
}

TEST_F(Sharing, TheMemoryCanBeRegisteredWithARing) {
  load();
  io_uring ring{};
  const int error = io_uring_queue_init(4, &ring, 0);
  if (error != 0) GTEST_SKIP() << "no io_uring here: errno " << -error;
  const std::byte* memory = variant("/", Coding::identity)->body.data();
  const int result = site_->registered_by([&](std::span<const std::byte> bytes) {
    const iovec all{.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
    return io_uring_register_buffers(&ring, &all, 1);
  });
  EXPECT_EQ(result, 0);
  EXPECT_EQ(access_of(memory), "r--s") << "as before";
  io_uring_queue_exit(&ring);
}

// --- one process, several generations ---

TEST_F(Sharing, AnOldGenerationLivesAsLongAsItsAnswers) {
  Site site(generation());
  const Variant& old = site.find("/").resource->variants.front();
  Segment body = site.segment(old.body);
  EXPECT_EQ(body.kind(), SegmentKind::stable);
  folder_.write("index.html", prose(6000));
  ASSERT_TRUE(site.replace(generation()));
  EXPECT_EQ(site.find("/").resource->variants.front().size, 6000U);
  EXPECT_EQ(site.generations(), 2U);
  Segment rest = body.rest_after(1000);
  body.reset();
  site.collect();
  EXPECT_EQ(site.generations(), 2U) << "the rest is still read";
  EXPECT_EQ(text_of(rest.bytes()), prose(5000).substr(1000));
  rest.reset();
  EXPECT_EQ(site.generations(), 2U) << "not in the hook that sends";
  site.collect();
  EXPECT_EQ(site.generations(), 1U);
}

TEST_F(Sharing, APinKeepsWhatFindGave) {
  Site site(generation());
  const Found found = site.find("/large.bin");
  Segment pin = site.pin();
  EXPECT_TRUE(pin.empty());
  ASSERT_TRUE(site.replace(generation()));
  EXPECT_EQ(site.generations(), 2U);
  EXPECT_NE(fcntl(found.resource->variants.front().fd, F_GETFD), -1);
  pin.reset();
  site.collect();
  EXPECT_EQ(site.generations(), 1U);
  EXPECT_EQ(site.find("/a").location, "/a/");
}

TEST_F(Sharing, ASegmentPinsTheGenerationItIsOf) {
  Site site(generation());
  const Variant& old = site.find("/").resource->variants.front();
  Segment pin = site.pin();
  ASSERT_TRUE(site.replace(generation()));
  const Segment body = site.segment(old.body);
  pin.reset();
  site.collect();
  EXPECT_EQ(site.generations(), 2U);
}

TEST_F(Sharing, ThereAreNeverMoreThanAFewGenerationsAndTheNewestWaits) {
  Site site(generation());
  std::vector<Segment> pins;
  for (unsigned number = 0; number < 3; ++number) {
    pins.push_back(site.pin());
    EXPECT_TRUE(site.replace(generation()));
  }
  pins.push_back(site.pin());
  EXPECT_FALSE(site.replace(generation()));
  folder_.write("newest.txt", "newest");
  EXPECT_FALSE(site.replace(generation()));
  site.collect();
  EXPECT_EQ(site.generations(), 4U);
  EXPECT_NE(site.find("/newest.txt").kind, Found::Kind::file);
  pins.erase(pins.begin() + 1);
  site.collect();
  EXPECT_EQ(site.find("/newest.txt").kind, Found::Kind::file);
  EXPECT_EQ(site.generations(), 4U);
}

// --- built by a child ---

TEST_F(Sharing, AChildBuildsAndHandsOver) {
  SiteBuild build(options_, {}, nullptr);
  const Generation site(build.finish());
  EXPECT_EQ(check_all(site), 0);
}

TEST_F(Sharing, WhatAChildRefusesIsSaidHere) {
  options_.root = folder_.path("nowhere");
  SiteBuild build(options_, {}, nullptr);
  try {
    build.finish();
    FAIL() << "it built nothing";
  } catch (const SiteError& error) {
    EXPECT_NE(std::string(error.what()).find("there is no folder"), std::string::npos);
  }
}

TEST_F(Sharing, AChildThatIsKilledIsToldOf) {
  const SiteReporter reporter{
      .progress = [](void*, SiteReporter::Step, std::size_t, std::size_t) { std::raise(SIGKILL); }};
  SiteBuild build(options_, reporter, nullptr);
  try {
    build.finish();
    FAIL() << "it built nothing";
  } catch (const SiteError& error) {
    EXPECT_STREQ(
        error.what(),
        "the process that built the site was ended by signal 9 (Killed), by hand or by the "
        "kernel because memory ran out (dmesg says which)");
  }
}

TEST_F(Sharing, ABuildThatNobodyWaitsForEnds) {
  const SiteReporter reporter{
      .progress = [](void*, SiteReporter::Step, std::size_t, std::size_t) { pause(); }};
  { const SiteBuild build(options_, reporter, nullptr); }
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD) << "no process is left";
}

TEST_F(Sharing, ProgressCountsUpToAll) {
  struct Seen {
    std::size_t last[2] = {};
    std::size_t total[2] = {};
  } seen;
  const SiteReporter reporter{
      .progress =
          [](void* context, SiteReporter::Step step, std::size_t done, std::size_t total) {
            auto* now = static_cast<Seen*>(context);
            const auto place = static_cast<std::size_t>(step);
            EXPECT_GE(done, now->last[place]);
            now->last[place] = done;
            now->total[place] = total;
          },
      .context = &seen};
  build_site(options_, reporter);
  for (const std::size_t place : {0U, 1U}) {
    EXPECT_EQ(seen.total[place], 3U);
    EXPECT_EQ(seen.last[place], 3U);
  }
}

}  // namespace
}  // namespace lab
