// Runs the server's worker on the fake kernel, seed by seed. Each seed is another server, another
// kernel and other clients; the oracles are in fake_oracles.cpp and, for the end, here.
//   fake_kernel_echo [--reactor] [--seeds COUNT] [--first SEED] [--seed SEED] [--verbose]
// With --reactor the worker is one, and its clients come by messages from an acceptor's ring.
#include <sys/socket.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "02-files/lib/fd.hpp"
#include "06-server/lib/engine/worker.hpp"
#include "tests/fake_kernel/fake_kernel.hpp"
#include LAB_FAKE_SUBJECT  // Tested, and Subjected: what its connections have in common

namespace lab::fake {

namespace {

struct Rig {
  Rig(std::uint64_t seed, Trace& trace_of_run)
      : trace(trace_of_run), random(seed), scenario(random) {}

  Trace& trace;
  Random random;
  Scenario scenario;
  Clock clock{trace};
  Network network{scenario, random, clock, trace};
  FakeKernel kernel{scenario, random, clock, trace, network};
  /// For the worker's shutdown() alone: the fake kernel has its own queue.
  Fd listener{scenario.listener_shuts_down ? socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1};
  WorkerStats stats;
  Subjected subjected;
  Handover handover;  ///< for a reactor
  Worker<Tested> worker{scenario.options, scenario.features, stats, subjected.shared};
};

// A ring that was just closed is taken apart in the background; until then its memory counts.
std::unique_ptr<Rig> make_rig(std::uint64_t seed, Trace& trace) {
  for (int left = 100;; --left) {
    try {
      return std::make_unique<Rig>(seed, trace);
    } catch (const std::system_error& error) {
      if (error.code().value() != ENOMEM || left == 0) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
}

void serve(Rig& rig) {
  const std::uint64_t begin = rig.clock.now();
  for (;;) {
    rig.worker.run_once();
    const std::uint64_t elapsed = rig.clock.now() - begin;
    if (rig.scenario.ending != Ending::served && elapsed >= rig.scenario.ending_ns) return;
    if (rig.network.all_done()) return;
    if (elapsed > 120'000 * millisecond) {
      const Peer& peer = *rig.network.undone();
      const Socket* socket = peer.socket.get();
      rig.trace.fail("liveness", "#{} ({}) is not served after two minutes: {} of {} B echoed",
                     socket != nullptr ? socket->id : 0, name(peer.plan.behaviour),
                     socket != nullptr ? socket->read : 0, peer.plan.bytes);
    }
  }
}

void expect_equal(Trace& trace, const char* what, std::uint64_t server, std::uint64_t kernel) {
  if (server == kernel) return;
  trace.fail("statistics", "{}: the server counts {}, the kernel {}", what, server, kernel);
}

void judge_end(Rig& rig) {
  FakeKernel& kernel = rig.kernel;
  Trace& trace = rig.trace;
  const WorkerStats& stats = rig.stats;
  expect_equal(trace, "buffers home", rig.worker.commons().buffers().free(),
               rig.worker.commons().buffers().count());
  expect_equal(trace, "pooled buffers home", rig.worker.commons().pooled().free(),
               rig.worker.commons().pooled().count());
  expect_equal(trace, "operations in flight", rig.worker.ring().armed_count(),
               kernel.operations_in_flight());
  expect_equal(trace, "slots taken", 0, kernel.slots_taken());
  expect_equal(trace, "open connections", rig.worker.open_connections(), 0);
  SlotCounts& places = rig.worker.commons().slots();
  const unsigned slots = rig.scenario.options.connections_max;
  const unsigned dialled = dials_out<Tested> ? slots - slots / 2 : 0;
  expect_equal(trace, "places for clients", places.clients_left(), slots - dialled);
  expect_equal(trace, "places for dialled ones", places.dialled_left(), dialled);
  expect_equal(trace, "accepted", stats.get(Stat::accepted), kernel.accepted());
  expect_equal(trace, "closed", stats.get(Stat::closed), kernel.accepted());
  if (ClientLimits* limits = rig.worker.commons().limits()) {
    LimitCounters& counted = limits->counters();
    std::uint64_t refused = 0;
    for (unsigned why = 0; why < static_cast<unsigned>(Refused::count); ++why) {
      refused += counted.refused(static_cast<Refused>(why)).get();
    }
    expect_equal(trace, "let in and refused", counted.connections().get() + refused,
                 kernel.accepted());
    // In a drain it is not seen who would have been let in.
    if (rig.scenario.ending == Ending::served) {
      expect_equal(trace, "refused", refused, kernel.limits().refused());
    }
  }
  expect_equal(trace, "sends", stats.get(Stat::sends), kernel.sends());
  expect_equal(trace, "bytes_out", stats.get(Stat::bytes_out), kernel.bytes_taken());
  expect_equal(trace, "notifications",
               stats.get(Stat::zero_copy_sent) + stats.get(Stat::zero_copy_copied),
               kernel.notifications());
  // Cancels that nobody hears of may find nothing.
  if (rig.scenario.listener_shuts_down) {
    expect_equal(trace, "ring errors", stats.get(Stat::ring_errors), 0);
  }
  const std::uint64_t bytes_in = stats.get(Stat::bytes_in);
  if (bytes_in > kernel.bytes_delivered() ||
      bytes_in + kernel.bytes_given_up() < kernel.bytes_delivered()) {
    trace.fail("statistics", "bytes_in: the server counts {}, the kernel {}, of which {} may miss",
               bytes_in, kernel.bytes_delivered(), kernel.bytes_given_up());
  }
}

// What was stopped with operations in flight may not be taken apart: a real process leaves by
// _exit.
std::vector<std::unique_ptr<Rig>>& stopped_rigs() {
  static std::vector<std::unique_ptr<Rig>> rigs;
  return rigs;
}

struct Options {
  bool reactor = false;
  bool verbose = false;
};

struct Totals {
  std::uint64_t enters = 0;
  std::uint64_t completions = 0;
  std::uint64_t accepted = 0;
  std::uint64_t shed = 0;
  std::uint64_t bytes = 0;
  std::uint64_t notifications = 0;
  std::uint64_t no_buffers = 0;
  std::uint64_t pauses = 0;
  std::uint64_t bundles = 0;
};

// A subject that has operations of its own knows the ring.
template <class Subject>
void attach(Subject& subject, Ring& ring) noexcept {
  if constexpr (requires { subject.attach(ring); }) subject.attach(ring);
}

// A subject with chance of its own.
template <class Subject>
void plant(Subject& subject, std::uint64_t seed) {
  if constexpr (requires { subject.plant(seed); }) subject.plant(seed);
}

// A subject that tells each upstream who its client is.
template <class Subject>
bool introduces(const Subject& subject) {
  if constexpr (requires { subject.shared.state.proxy_protocol; }) {
    return subject.shared.state.proxy_protocol;
  }
  return false;
}

// What the model cannot see: whose bytes go where.
void watch_pairs(Rig& rig) {
  if constexpr (dials_out<Tested>) {
    rig.kernel.watch_pairs([&rig] {
      auto& connections = rig.worker.commons().connections();
      for (auto* upstream = connections.oldest(); upstream != nullptr;
           upstream = connections.next(*upstream)) {
        if (!upstream->dialled() || !upstream->relays()) continue;
        const auto& client = upstream->sink();
        rig.kernel.join(index(client.slot()), index(upstream->slot()), client.relays());
      }
    });
    if (introduces(rig.subjected)) rig.kernel.introduce_clients();
  }
}

void start(Rig& rig, bool reactor) {
  if (!reactor) return rig.worker.start(rig.listener.get(), -1);
  rig.kernel.acceptor().attach(rig.handover);
  rig.worker.start_as_reactor(rig.handover, -1);
  rig.kernel.acceptor().begin();
}

// A reactor is told to drain when nobody is on the way to it.
void drain(Rig& rig) {
  rig.kernel.acceptor().stop();
  while (rig.kernel.acceptor().any_on_their_way()) rig.worker.run_once();
  rig.trace.note("drain");
  rig.kernel.draining();
  rig.worker.drain();
}

void run_seed(std::uint64_t seed, const Options& options, Trace& trace, Totals& totals) {
  trace.begin(seed, options.verbose);
  trace.forget_stderr();
  std::unique_ptr<Rig> rig = make_rig(seed, trace);
  trace.describe(rig->scenario.describe());
  rig->worker.ring().replace_kernel(rig->kernel.kernel());
  rig->kernel.attach(rig->worker.ring(), rig->worker.commons().buffers(),
                     rig->worker.commons().pooled());
  attach(rig->subjected, rig->worker.ring());
  plant(rig->subjected, seed);
  watch_pairs(*rig);
  rig->network.start();
  start(*rig, options.reactor);
  serve(*rig);

  bool clean = false;
  if (rig->scenario.ending == Ending::stopped) {
    rig->worker.stop();
    const std::uint64_t enters = rig->worker.ring().counters().enters;
    clean = rig->worker.run();
    expect_equal(trace, "enters after stop()", rig->worker.ring().counters().enters, enters);
  } else {
    drain(*rig);
    clean = rig->worker.run();
    if (!clean && !rig->kernel.waits_for_tcp_alone()) {
      trace.fail("liveness", "drained, and {} operations are in flight",
                 rig->worker.ring().armed_count());
    }
  }
  totals.enters += rig->worker.ring().counters().enters;
  totals.completions += rig->worker.ring().counters().completions;
  totals.accepted += rig->stats.get(Stat::accepted);
  totals.shed += rig->stats.get(Stat::shed);
  totals.bytes += rig->kernel.bytes_taken();
  totals.notifications += rig->kernel.notifications();
  totals.no_buffers += rig->stats.get(Stat::no_buffers);
  totals.pauses += rig->stats.get(Stat::pauses);
  totals.bundles += rig->kernel.bundles();
  if (clean && rig->scenario.ending != Ending::stopped) {
    judge_end(*rig);
  } else if (!clean) {
    stopped_rigs().push_back(std::move(rig));
  }
}

}  // namespace

int run(int argc, char** argv) {
  std::uint64_t first = 1;
  std::uint64_t count = 400;
  Options options;
  for (int index = 1; index < argc; ++index) {
    const auto value = [&] {
      if (++index == argc) {
        fmt::print(stderr, "{} needs a number\n", argv[index - 1]);
        std::exit(2);
      }
      return std::strtoull(argv[index], nullptr, 10);
    };
    if (std::strcmp(argv[index], "--seeds") == 0) {
      count = value();
    } else if (std::strcmp(argv[index], "--first") == 0) {
      first = value();
    } else if (std::strcmp(argv[index], "--seed") == 0) {
      first = value();
      count = 1;
    } else if (std::strcmp(argv[index], "--verbose") == 0) {
      options.verbose = true;
    } else if (std::strcmp(argv[index], "--reactor") == 0) {
      options.reactor = true;
    } else {
      fmt::print("usage: {} [--reactor] [--seeds COUNT] [--first SEED] [--seed SEED] [--verbose]\n",
                 argv[0]);
      return 2;
    }
  }
  Trace trace;
  trace.set_program(argv[0] + std::string(options.reactor ? " --reactor" : ""));
  trace.catch_stderr();
  Totals totals;
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    run_seed(seed, options, trace, totals);
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  fmt::print(
      "{} seeds in {:.1f} s: {} enters, {} CQEs, {} connections, {} B, {} notifications, {} times "
      "no buffers, {} pauses, {} shed, {} bundles\nOK\n",
      count, elapsed.count(), totals.enters, totals.completions, totals.accepted, totals.bytes,
      totals.notifications, totals.no_buffers, totals.pauses, totals.shed, totals.bundles);
  std::fflush(stdout);
  _exit(0);  // what was stopped must not be destroyed
}

}  // namespace lab::fake

int main(int argc, char** argv) {
  try {
    return lab::fake::run(argc, argv);
  } catch (const std::system_error& error) {
    const int code = error.code().value();
    if (code == ENOSYS || code == EPERM) {
      fmt::print("SKIP: no io_uring here: {}\n", error.what());
      return 77;
    }
    fmt::print("{}\n", error.what());
    return 1;
  }
}
