// Exercise 06-01, solved: who is connected, and who waits for a buffer. The constructor takes all
// memory; after that, opening, waiting and closing only move links.
// shows: a shortage as an ordinary answer: no place, and not std::bad_alloc
// needs: nothing of the kernel
// try:   read it after you have tried; hints.md first
#include "05-performance/lib/slab_pool.hpp"
#include "06-server/01-one-core/check.hpp"
#include "06-server/lib/engine/intrusive_list.hpp"

namespace {

struct Connection {
  explicit Connection(int number) : fd(number) {}
  int fd;
  lab::ListLink<Connection> waiting_link;
};

class Table {
 public:
  explicit Table(unsigned connections_max) : connections_(connections_max) {}

  // A client was accepted. Returns its connection, or null when there is no place.
  Connection* open(int fd) { return connections_.create(fd); }

  // It found no buffer. It is not in the line yet.
  void wait(Connection& one) { waiting_.push_back(one); }

  // A buffer came home. Returns who gets it: whoever has waited longest, or null when nobody waits.
  Connection* grant() {
    Connection* first = waiting_.front();
    if (first != nullptr) waiting_.remove(*first);
    return first;
  }

  // Its last CQE has come, so its place is free for the next client.
  void close(Connection& one) {
    // The links are in the object: if it died in the line, its neighbours would point to its place,
    // and the next client there would be taken for one who waits.
    if (waiting_.contains(one)) waiting_.remove(one);
    connections_.destroy(&one);
  }

 private:
  lab::SlabPool<Connection> connections_;
  lab::IntrusiveList<Connection, &Connection::waiting_link> waiting_;
};

}  // namespace

int main(int argc, char** argv) { return check::judge<Table, Connection>(argc, argv); }
