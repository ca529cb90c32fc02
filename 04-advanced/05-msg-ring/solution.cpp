// 10,000 messages to a ring whose CQ has 8 entries. Nothing may overflow, and nobody may wait in a
// loop: a side that can do nothing returns, and is called again when a message for it comes.
#include "04-advanced/05-msg-ring/check.hpp"

// Called once at the start; call it again whenever more can be sent.
void send_more(Sender& sender) {
  // A credit is a place in the receiver's CQ that is known to be free.
  for (; sender.next < messages && sender.credits > 0; --sender.credits) send(sender.next++);
}

// The receiver's message is here: it has read `count` messages.
void on_acknowledged(Sender& sender, unsigned count) {
  sender.credits += count;
  send_more(sender);
}

// On the receiver's side: it has just read `count` messages.
void on_received(unsigned count) {
  // One message for the whole batch: it carries the number.
  acknowledge(count);
}

int main(int argc, char** argv) { return check::run(argc, argv); }
