#include <fmt/format.h>

#include <array>

#include "tests/conformance/cases.hpp"

// Every byte comes back, once, in order, on its own connection, whatever the sizes.

namespace lab {

namespace {

// Ends every flow in order: a server that sends a byte too many, or no FIN, is found here.
void finish_all(Context& context, std::vector<Flow>& flows) {
  for (Flow& flow : flows) flow.stream.finish_and_check(context.deadline);
}

void ping_pong(Context& context) {
  const std::size_t rounds = context.settings.quick ? 200 : 1000;
  std::vector<Stream> streams;
  for (int count = 0; count < 8; ++count) streams.push_back(context.connect());
  Clock::duration longest{};
  for (std::size_t round = 0; round < rounds; ++round) {
    // All are sent before the first is read, so that answers could be mixed up.
    for (Stream& stream : streams) stream.send(64, context.deadline);
    const auto begin = Clock::now();
    for (Stream& stream : streams) {
      stream.receive(64, context.deadline.or_sooner(context.silence()));
    }
    longest = std::max(longest, Clock::now() - begin);
  }
  for (Stream& stream : streams) stream.finish_and_check(context.deadline);
  context.seen =
      fmt::format("8 connections, {} × 64 B each, slowest round {:.1f} ms", rounds, in_ms(longest));
}

void pipelined(Context& context) {
  constexpr std::array<std::uint64_t, 3> depths = {16, 32, 64};
  constexpr std::array<std::uint64_t, 4> sizes = {1, 64, 333, 1024};
  const std::uint64_t messages = context.settings.quick ? 400 : 2000;
  std::vector<Flow> flows;
  for (const std::uint64_t depth : depths) {
    for (const std::uint64_t size : sizes) {
      flows.push_back({.stream = context.connect(),
                       .bytes = messages * size,
                       .message_size = size,
                       .depth = depth});
    }
  }
  run_flows(context, flows);
  finish_all(context, flows);
  context.seen =
      fmt::format("{} connections, {} messages each, 16 to 64 unanswered", flows.size(), messages);
}

void one_byte(Context& context) {
  const std::size_t bytes = context.settings.quick ? 256 : 2048;
  Stream stream = context.connect();
  for (std::size_t count = 0; count < bytes; ++count) ping(context, stream, 1);
  // Then without waiting for each: the server may take them together, and must keep their order.
  for (std::size_t count = 0; count < bytes; ++count) stream.send(1, context.deadline);
  for (std::size_t count = 0; count < bytes; ++count) {
    stream.receive(1, context.deadline.or_sooner(context.silence()));
  }
  stream.finish_and_check(context.deadline);
  context.seen = fmt::format("{} answered one by one, {} in a row", bytes, bytes);
}

void messages_1_mib(Context& context) {
  const int rounds = context.settings.quick ? 2 : 16;
  std::vector<Flow> flows;
  for (int count = 0; count < 2; ++count) {
    flows.push_back({.stream = context.connect(),
                     .bytes = static_cast<std::uint64_t>(rounds) << 20,
                     .message_size = 1 << 20,
                     .depth = 1});
  }
  run_flows(context, flows);
  finish_all(context, flows);
  context.seen = fmt::format("2 connections, {} × 1 MiB each", rounds);
}

void stream(Context& context) {
  const auto begin = Clock::now();
  std::vector<Flow> flows;
  flows.push_back(
      {.stream = context.connect(), .bytes = context.settings.stream_bytes, .depth = 0});
  run_flows(context, flows);
  const double seconds = in_ms(Clock::now() - begin) / 1000;
  finish_all(context, flows);
  context.seen =
      fmt::format("{} each way at once, {:.0f} MB/s", in_words(context.settings.stream_bytes),
                  static_cast<double>(context.settings.stream_bytes) / 1e6 / seconds);
}

void random_chunks(Context& context) {
  const std::uint64_t bytes = context.settings.quick ? 128 << 10 : 2 << 20;
  std::vector<Flow> flows;
  for (std::size_t count = 0; count < 16; ++count) {
    // Each connection has bounds of its own: small to large, large to small, and even.
    const std::size_t send_size = std::size_t{1} << context.random.between(6, 17);
    const std::size_t receive_size = std::size_t{1} << context.random.between(6, 17);
    flows.push_back({.stream = context.connect(),
                     .bytes = bytes,
                     .depth = 0,
                     .send_size_max = send_size,
                     .receive_size_max = receive_size});
  }
  run_flows(context, flows);
  finish_all(context, flows);
  context.seen = fmt::format("16 connections, {} each, sizes 1 B to 128 KiB, seed {}",
                             in_words(bytes), context.settings.seed);
}

}  // namespace

std::vector<Case> content_cases() {
  using std::chrono::seconds;
  return {
      {"ping-pong", "8 connections, 64 bytes at a time, each answered before the next", seconds(60),
       ping_pong},
      {"pipelined", "12 connections with 16, 32 or 64 messages unanswered", seconds(60), pipelined},
      {"one-byte", "one byte a call, answered singly and in a row", seconds(60), one_byte},
      {"1-MiB-messages", "messages far larger than any buffer of the server", seconds(60),
       messages_1_mib},
      {"stream", "--stream-bytes written and read at once", seconds(120), stream},
      {"random-chunks", "16 connections, seeded random sizes of every send and receive",
       seconds(60), random_chunks},
  };
}

}  // namespace lab
