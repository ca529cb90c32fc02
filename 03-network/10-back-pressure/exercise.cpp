// One connection that stops receiving above the high-water mark, and begins again at the low one.
// As it is, it believes that a cancel works at once.
#include "03-network/10-back-pressure/check.hpp"

// Called after everything that happened: bytes came, a send is done, one of the two below.
void steer(Connection& connection) {
  if (connection.receiving == Receiving::armed && connection.held > high_water) {
    // YOUR TURN 2: is it paused already? Its receive and the cancel still owe their CQEs.
    connection.receiving = Receiving::paused;
    start_cancel(connection);
  }
  // YOUR TURN 1: with one mark, each buffer that is sent costs a cancel and a new receive.
  if (connection.receiving == Receiving::paused && connection.held <= high_water) {
    connection.receiving = Receiving::armed;
    start_receive(connection);
  }
}

// The receive's last CQE came: with bytes, or -ECANCELED.
void on_receive_ended(Connection& connection) {
  // YOUR TURN 3: is a cancel still due?
  connection.receiving = Receiving::paused;
}

// The cancel's CQE came. Perhaps it found nothing, because the receive was at work or had ended.
void on_cancel(Connection& connection) {
  // YOUR TURN 3: connection.receive_armed says whether the receive has ended.
  (void)connection;
}

int main(int argc, char** argv) { return check::run(argc, argv); }
