// A table of slots, and replies that are ready late. A mark says the slot, and which of its
// connections.
#include "03-network/14-direct-accept/check.hpp"

// A new connection is in `slot`: res of an accept.
void on_accept(Table& table, unsigned slot) {
  ++table.at(slot).generation;
  table.at(slot).open = true;
}

void on_close(Table& table, unsigned slot) { table.at(slot).open = false; }

// Made when the work for a connection begins, kept until it is done.
Mark mark_of(const Table& table, unsigned slot) {
  return Mark{table.at(slot).generation} << 32U | slot;
}

// The work is done: the slot to which the reply may be sent, or nobody.
int whom_to_reply(const Table& table, Mark mark) {
  const auto slot = static_cast<unsigned>(mark);
  const Slot& now = table.at(slot);
  return now.open && now.generation == mark >> 32U ? static_cast<int>(slot) : nobody;
}

int main(int argc, char** argv) { return check::run(argc, argv); }
