// One connection of the echo, as a function: a result comes, the next operation goes. As it is, it
// believes that every send is whole and that nothing fails.
#include "03-network/01-echo-oneshot/check.hpp"

// The CQE of the operation that was in flight has come. What is next?
void on_result(Connection& connection, int res) {
  if (connection.state == State::receiving) {
    // YOUR TURN 1: a result is a number of bytes, and two other things.
    connection.bytes_in = static_cast<unsigned>(res);
    connection.bytes_out = 0;
    start_send(connection);
  } else {
    // YOUR TURN 2: the kernel may have taken fewer bytes than offered. bytes_out counts.
    // YOUR TURN 3: a send can fail. Who reads the answer then?
    start_receive(connection);
  }
}

int main(int argc, char** argv) { return check::run(argc, argv); }
