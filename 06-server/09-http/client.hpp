// A client that speaks HTTP on a plain blocking socket.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "03-network/loopback.hpp"

namespace client {

/// A request without a body, or what is in front of it.
inline std::string request(std::string_view method_and_target, std::string_view more = "") {
  return std::string(method_and_target) + " HTTP/1.1\r\nHost: lab\r\n" + std::string(more) + "\r\n";
}

// [walk client]
struct Answer {
  std::string status;  // its first line
  std::size_t promised = 0;
  std::string body;
};

// Takes the next answer off the connection. What follows the head of an answer to HEAD is the next
// answer.
inline Answer next_answer(int fd, bool to_head = false) {
  Answer answer;
  for (std::string line = "?"; line != "\r\n";) {
    line.clear();
    while (!line.ends_with('\n')) {
      const std::string byte = lab::receive(fd, 1);
      if (byte.empty()) return answer;  // the end
      line += byte;
    }
    if (answer.status.empty()) answer.status = line.substr(0, line.find_first_of("\r\n"));
    if (line.starts_with("Content-Length: ")) answer.promised = std::stoul(line.substr(16));
  }
  if (!to_head) answer.body = lab::receive(fd, answer.promised);
  return answer;
}
// [/walk]

}  // namespace client
