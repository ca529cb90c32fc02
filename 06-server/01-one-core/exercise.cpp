// Exercise 06-01: who is connected, and who waits for a buffer. It works, and it allocates for each
// client and for each who waits. A server that runs for months takes all its memory at the start.
// shows: a shortage as an ordinary answer: no place, and not std::bad_alloc
// needs: nothing of the kernel
// try:   ./lab exercise 06/01; it compiles and fails, and says why
#include <deque>
#include <list>

#include "05-performance/lib/slab_pool.hpp"
#include "06-server/01-one-core/check.hpp"
#include "06-server/lib/engine/intrusive_list.hpp"

namespace {

struct Connection {
  explicit Connection(int number) : fd(number) {}
  int fd;
  // YOUR TURN 2: what has to be in here, if waiting must not cost memory?
};

class Table {
 public:
  // YOUR TURN 1: all memory is taken here, for so many connections. A lab::SlabPool does that.
  explicit Table(unsigned connections_max) { (void)connections_max; }

  // A client was accepted. Returns its connection, or null when there is no place.
  Connection* open(int fd) { return &connections_.emplace_back(fd); }

  // It found no buffer. It is not in the line yet.
  void wait(Connection& one) { waiting_.push_back(&one); }

  // A buffer came home. Returns who gets it: whoever has waited longest, or null when nobody waits.
  Connection* grant() {
    if (waiting_.empty()) return nullptr;
    Connection* first = waiting_.front();
    waiting_.pop_front();
    return first;
  }

  // Its last CQE has come, so its place is free for the next client.
  void close(Connection& one) {
    // YOUR TURN 3: the server may end a connection that still waits for a buffer. And then?
    connections_.remove_if([&one](const Connection& other) { return &other == &one; });
  }

 private:
  std::list<Connection> connections_;
  std::deque<Connection*> waiting_;
};

}  // namespace

int main(int argc, char** argv) { return check::judge<Table, Connection>(argc, argv); }
