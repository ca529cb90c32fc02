// A connection is being ended: its receive and its send were cancelled, and the CQEs come in, in
// any order. As it is, the socket is closed and the memory freed while the kernel uses them.
#include "03-network/18-graceful-shutdown/check.hpp"

// A CQE of `operation` came, with these flags.
void take(Operation& operation, unsigned flags) {
  // YOUR TURN 1: a zero-copy send has a result, and later a notification. What does each CQE end?
  (void)flags;
  operation.armed = false;
  operation.result_due = false;
}

// Called after every CQE: does what has become possible.
void next_step(Connection& connection) {
  // YOUR TURN 2: which results does a close have to wait for?
  if (!connection.closed) close_socket(connection);
  // YOUR TURN 3: who still points into the memory of the connection?
  if (connection.closed) free_connection(connection);
}

int main(int argc, char** argv) { return check::run(argc, argv); }
