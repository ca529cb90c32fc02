// One connection that stops receiving above the high-water mark, and begins again at the low one.
// Between the cancel and its CQE it is neither armed nor paused.
#include "03-network/10-back-pressure/check.hpp"

// Called after everything that happened: bytes came, a send is done, one of the two below.
void steer(Connection& connection) {
  if (connection.receiving == Receiving::armed && connection.held > high_water) {
    connection.receiving = Receiving::pausing;
    start_cancel(connection);
  }
  if (connection.receiving == Receiving::paused && connection.held <= low_water) {
    connection.receiving = Receiving::armed;
    start_receive(connection);
  }
}

// The receive's last CQE came: with bytes, or -ECANCELED.
void on_receive_ended(Connection& connection) {
  if (connection.receiving == Receiving::armed) connection.receiving = Receiving::paused;
}

// The cancel's CQE came. Perhaps it found nothing, because the receive was at work or had ended.
void on_cancel(Connection& connection) {
  connection.receiving = connection.receive_armed ? Receiving::armed : Receiving::paused;
}

int main(int argc, char** argv) { return check::run(argc, argv); }
