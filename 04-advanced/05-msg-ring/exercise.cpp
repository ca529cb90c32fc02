// 10,000 messages to a ring whose CQ has 8 entries. Nothing may overflow, and nobody may wait in a
// loop: a side that can do nothing returns, and is called again when a message for it comes.
#include "04-advanced/05-msg-ring/check.hpp"

// Called once at the start; call it again whenever more can be sent.
void send_more(Sender& sender) {
  // YOUR TURN 1: how long may this go on?
  while (sender.next < messages) send(sender.next++);
}

// The receiver's message is here: it has read `count` messages.
void on_acknowledged(Sender& sender, unsigned count) {
  // YOUR TURN 2: what does that allow?
  (void)sender, (void)count;
}

// On the receiver's side: it has just read `count` messages.
void on_received(unsigned count) {
  // YOUR TURN 3: somebody may sleep until he hears of it.
  (void)count;
}

int main(int argc, char** argv) { return check::run(argc, argv); }
