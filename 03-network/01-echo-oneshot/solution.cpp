// One connection of the echo, as a function: a result comes, the next operation goes.
#include "03-network/01-echo-oneshot/check.hpp"

// The CQE of the operation that was in flight has come. What is next?
void on_result(Connection& connection, int res) {
  if (res <= 0) {
    close_connection(connection);
  } else if (connection.state == State::receiving) {
    connection.bytes_in = static_cast<unsigned>(res);
    connection.bytes_out = 0;
    start_send(connection);
  } else {
    connection.bytes_out += static_cast<unsigned>(res);
    if (connection.bytes_out < connection.bytes_in) {
      start_send(connection);
    } else {
      start_receive(connection);
    }
  }
}

int main(int argc, char** argv) { return check::run(argc, argv); }
