// A connection is being ended: its receive and its send were cancelled, and the CQEs come in, in
// any order. The socket goes when no result is due, the memory when nothing is armed.
#include "03-network/18-graceful-shutdown/check.hpp"

// A CQE of `operation` came, with these flags.
void take(Operation& operation, unsigned flags) {
  operation.armed = (flags & IORING_CQE_F_MORE) != 0;
  if ((flags & IORING_CQE_F_NOTIF) == 0) operation.result_due = false;
}

// Called after every CQE: does what has become possible.
void next_step(Connection& connection) {
  const bool cancels = connection.cancel_receive.armed || connection.cancel_send.armed;
  const bool results = connection.receive.armed || connection.send.result_due;
  if (!connection.closed && !results) close_socket(connection);
  if (connection.closed && !connection.send.armed && !cancels) free_connection(connection);
}

int main(int argc, char** argv) { return check::run(argc, argv); }
