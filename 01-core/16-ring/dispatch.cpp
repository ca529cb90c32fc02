// shows: what it costs to find the handler of a CQE, in four ways
// needs: nothing of io_uring: the answers are written by hand
// try:   ./lab run 01-16-ring-dispatch 100000; more objects than fit into the cache
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "01-core/lesson.hpp"

namespace {

// Four kinds of operation, each with a handler of its own, mixed at random: as in a server.
constexpr int kinds = 4;

template <class Object, int Kind>
void add(Object& object, int res) {
  object.sum += res;
  object.last_kind = Kind;
}

struct Counted {
  long sum = 0;
  int last_kind = 0;
};

struct ByPointer : Counted {
  void (*handler)(ByPointer&, int) = nullptr;
};

struct ByVirtual : Counted {
  virtual ~ByVirtual() = default;
  virtual void handle(int res) = 0;
};
template <int Kind>
struct Derived final : ByVirtual {
  void handle(int res) override { add<ByVirtual, Kind>(*this, res); }
};

struct ByFunction : Counted {
  std::function<void(int)> handler;
};

// One switch in one place that knows every kind there is.
struct BySwitch : Counted {
  int kind = 0;
};
void handle(BySwitch& object, int res) {
  switch (object.kind) {
    case 0:
      return add<BySwitch, 0>(object, res);
    case 1:
      return add<BySwitch, 1>(object, res);
    case 2:
      return add<BySwitch, 2>(object, res);
    default:
      return add<BySwitch, 3>(object, res);
  }
}

constexpr int rounds = 20;
constexpr int calls = 200'000;

// Objects are called in random order, as answers come. The best of the rounds is printed: others
// on the machine can only make a round slower.
template <class Object, class Call>
long measure(const char* name, std::vector<std::unique_ptr<Object>>& objects, Call call) {
  std::mt19937 random(7);
  std::vector<Object*> order(calls);
  for (Object*& one : order) one = objects[random() % objects.size()].get();
  double best = 1e9;
  for (int round = 0; round < rounds; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    for (Object* one : order) call(*one);
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
    best = std::min(best, took.count() / calls);
  }
  std::printf("# %-16s %5.2f ns\n", name, best);
  long sum = 0;
  for (const auto& one : objects) sum += one->sum;
  return sum;
}

template <class Object>
using Objects = std::vector<std::unique_ptr<Object>>;

template <int Kind>
void make_one(Objects<ByPointer>& pointers, Objects<ByVirtual>& virtuals,
              Objects<ByFunction>& functions, Objects<BySwitch>& switches) {
  pointers.push_back(std::make_unique<ByPointer>());
  pointers.back()->handler = &add<ByPointer, Kind>;
  virtuals.push_back(std::make_unique<Derived<Kind>>());
  functions.push_back(std::make_unique<ByFunction>());
  ByFunction* function = functions.back().get();
  function->handler = [function](int res) { add<ByFunction, Kind>(*function, res); };
  switches.push_back(std::make_unique<BySwitch>());
  switches.back()->kind = Kind;
}

}  // namespace

int main(int argc, char** argv) {
  lab::Lesson lesson(argc, argv, "[objects]: how many to choose from (default 256)");
  const long count = lesson.argument(1, 256, 1, 1'000'000);

  Objects<ByPointer> pointers;
  Objects<ByVirtual> virtuals;
  Objects<ByFunction> functions;
  Objects<BySwitch> switches;
  for (long index = 0; index < count; index += kinds) {
    make_one<0>(pointers, virtuals, functions, switches);
    make_one<1>(pointers, virtuals, functions, switches);
    make_one<2>(pointers, virtuals, functions, switches);
    make_one<3>(pointers, virtuals, functions, switches);
  }
  const long sums[] = {
      measure("function pointer", pointers, [](ByPointer& one) { one.handler(one, 1); }),
      measure("virtual", virtuals, [](ByVirtual& one) { one.handle(1); }),
      measure("std::function", functions, [](ByFunction& one) { one.handler(1); }),
      measure("switch", switches, [](BySwitch& one) { handle(one, 1); }),
  };
  const bool equal = std::all_of(std::begin(sums), std::end(sums),
                                 [](long sum) { return sum == long{rounds} * calls; });
  std::printf("every call arrived, in all four ways: %s\n", equal ? "yes" : "no");
  return lab::ok();
}
