// A table of slots, and replies that are ready late. As it is, a reply knows the slot for which it
// is, and nothing more.
#include "03-network/14-direct-accept/check.hpp"

// A new connection is in `slot`: res of an accept.
void on_accept(Table& table, unsigned slot) {
  // YOUR TURN 1: it is not the connection that was here before. What has to change?
  table.at(slot).open = true;
}

void on_close(Table& table, unsigned slot) { table.at(slot).open = false; }

// Made when the work for a connection begins, kept until it is done.
Mark mark_of(const Table& table, unsigned slot) {
  // YOUR TURN 2: a mark has 64 bits. Which two things does it need?
  (void)table;
  return slot;
}

// The work is done: the slot to which the reply may be sent, or nobody.
int whom_to_reply(const Table& table, Mark mark) {
  // YOUR TURN 3: is the one in the slot the one who asked?
  const auto slot = static_cast<unsigned>(mark);
  return table.at(slot).open ? static_cast<int>(slot) : nobody;
}

int main(int argc, char** argv) { return check::run(argc, argv); }
