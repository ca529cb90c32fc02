// Judges the exercise of 03-network/01-echo-oneshot. It plays the kernel and the client: results
// come by hand. Nobody edits this file.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <random>
#include <string>

#include "01-core/lesson.hpp"

enum class State { receiving, sending };

struct Connection {
  State state = State::receiving;  // start_receive and start_send set it
  unsigned bytes_in = 0;           // in the buffer, by the last receive
  unsigned bytes_out = 0;          // of these, sent
};

/// Starts a receive of up to 64 bytes into the buffer.
void start_receive(Connection& connection);
/// Starts a send of what is in the buffer and not sent yet: bytes_out to bytes_in.
void start_send(Connection& connection);
/// The connection is over. Nothing may be in flight.
void close_connection(Connection& connection);

// Yours, in exercise.cpp.
void on_result(Connection& connection, int res);

namespace check {

struct Judge {
  Connection connection;
  std::string buffer;
  std::string sent;  // by the client
  std::string got;   // by the client
  std::string last;  // what happened last, in words
  unsigned offered = 0;
  bool in_flight = false;
  bool closed = false;

  [[noreturn]] void fail(const std::string& what, const char* look) const {
    std::printf("What happened last: %s\n", last.c_str());
    lab::fail(what, look);
  }

  void on_start(const char* what) {
    if (closed) fail(std::string("a ") + what + " on a closed connection", "YOUR TURN 1 and 3");
    if (in_flight) fail("two operations are in flight", "one result, one new operation");
    in_flight = true;
  }
  void on_start_receive() {
    on_start("receive");
    if (got != sent) {
      fail("a receive was started into a buffer of which " +
               std::to_string(sent.size() - got.size()) + " bytes are not sent yet",
           "YOUR TURN 2: as long as bytes_out is smaller than bytes_in, send the rest");
    }
    connection.state = State::receiving;
  }
  void on_start_send() {
    on_start("send");
    if (connection.bytes_in > buffer.size() || connection.bytes_out >= connection.bytes_in) {
      fail("a send of bytes that nobody has received",
           "YOUR TURN 1: 0 is the client's end, and a negative result is an error");
    }
    connection.state = State::sending;
    offered = connection.bytes_in - connection.bytes_out;
  }
  void on_close() {
    if (closed) fail("closed a second time", "YOUR TURN 1 and 3");
    if (in_flight) fail("closed while an operation is in flight", "only the last result ends it");
    closed = true;
  }

  // The result of what is in flight.
  void give(int res, const std::string& words) {
    last = words;
    in_flight = false;
    on_result(connection, res);
    if (!in_flight && !closed) {
      fail("nothing is in flight, and it is not closed: nothing will ever happen here",
           "each result starts an operation or closes");
    }
  }
  void receive(const std::string& text) {
    buffer = text;
    sent += text;
    give(static_cast<int>(text.size()), std::to_string(text.size()) + " bytes came");
  }
  void send(unsigned bytes) {
    got += buffer.substr(connection.bytes_out, bytes);
    const unsigned of = offered;
    give(static_cast<int>(bytes),
         "a send took " + std::to_string(bytes) + " of " + std::to_string(of) + " bytes");
  }
  void end(int res, const char* words, const char* look) {
    give(res, words);
    if (!closed) fail("the connection goes on", look);
  }
};

inline Judge judge;

// A client that asks; then what was in flight ends in this way.
inline void story(std::mt19937& random, bool in_send, int res, const char* words,
                  const char* look) {
  judge = {};
  start_receive(judge.connection);
  for (int round = 0; round < 20; ++round) {
    const auto size = 1 + static_cast<unsigned>(random()) % 64;
    std::string text;
    while (text.size() < size) text += static_cast<char>('a' + random() % 26);
    judge.receive(text);
    if (in_send && round == 10) return judge.end(res, words, look);
    while (judge.connection.state == State::sending) {
      judge.send(1 + static_cast<unsigned>(random()) % judge.offered);
    }
    if (judge.got != judge.sent) judge.fail("the answer is not the question", "YOUR TURN 2");
  }
  judge.end(res, words, look);
}

inline int run(int argc, char** argv) {
  lab::Lesson lesson(argc, argv);
  std::mt19937 random(3);
  for (int times = 0; times < 50; ++times) {
    story(random, false, 0, "a receive gave 0", "YOUR TURN 1: 0 is the client's FIN");
    story(random, false, -ECONNRESET, "a receive gave -ECONNRESET", "YOUR TURN 1");
    story(random, true, -EPIPE, "a send gave -EPIPE", "YOUR TURN 3");
  }
  std::printf("150 connections: every byte came back once, and all were closed\n");
  return lab::ok();
}

}  // namespace check

inline void start_receive(Connection&) { check::judge.on_start_receive(); }
inline void start_send(Connection&) { check::judge.on_start_send(); }
inline void close_connection(Connection&) { check::judge.on_close(); }
