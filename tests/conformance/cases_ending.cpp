#include <fmt/format.h>

#include "tests/conformance/cases.hpp"

// How connections end, in order and not; whatever one does, the next is served.

namespace lab {

namespace {

void half_close(Context& context) {
  const std::size_t count = context.settings.quick ? 12 : 32;
  // The client's own buffer takes all of it, so that the FIN follows the last byte while nothing is
  // read yet.
  std::vector<Stream> streams;
  for (std::size_t index = 0; index < count; ++index) {
    // Whether the server meets the FIN with bytes of its own unsent depends on where its buffers
    // happen to be filled just then. Sizes in small steps make sure that on some connections it
    // does.
    const std::size_t bytes = index == 0 ? 4 << 20 : (768 + 24 * index) << 10;
    streams.push_back(context.connect(
        {.send_buffer_size = 4 << 20, .receive_buffer_size = 64 << 10, .segment_size_max = 1400}));
    streams.back().send(bytes, context.deadline.or_sooner(context.silence()));
    streams.back().finish();
  }
  // Read more slowly than the server works. Read at once, everything could be in the kernel when
  // the FIN is met, and nothing could go wrong.
  std::size_t open = count;
  while (open > 0) {
    for (Stream& stream : streams) {
      if (stream.received() == stream.sent()) continue;
      if (stream.receive_some(16 << 10) == 0) {
        stream.receive(1, context.deadline.or_sooner(context.silence()));
      }
      if (stream.received() == stream.sent()) --open;
    }
    std::this_thread::sleep_for(Milliseconds(1));
  }
  for (Stream& stream : streams) stream.receive_to_end(context.deadline);
  context.seen = fmt::format(
      "{} connections: 0.8 to 4 MiB, FIN, then all read, slowly, then the server's FIN", count);
}

void half_close_empty(Context& context) {
  const int rounds = 200;
  for (int count = 0; count < rounds; ++count) {
    Stream stream = context.connect();
    stream.finish_and_check(context.deadline.or_sooner(context.silence()));
  }
  context.seen = fmt::format("{} connections with a FIN and no byte got a FIN", rounds);
}

void reset_in_stream(Context& context) {
  const int rounds = context.settings.quick ? 30 : 100;
  Stream neighbour = context.connect();
  ping(context, neighbour);
  for (int count = 0; count < rounds; ++count) {
    Stream stream = context.connect();
    stream.send_some(256 << 10);
    // Some resets find the server before its first read, some in the middle, some with bytes under
    // way.
    if (count % 3 != 0) stream.receive(context.random.size(4096), context.deadline);
    stream.close_with_reset();
    ping(context, neighbour);
  }
  neighbour.finish_and_check(context.deadline);
  Stream after = context.connect();
  ping(context, after);
  after.finish_and_check(context.deadline);
  context.seen = fmt::format("{} resets, a neighbour and a newcomer were served", rounds);
}

void connect_and_vanish(Context& context) {
  constexpr int count_all = 1000;
  for (int count = 0; count < count_all; ++count) {
    Stream stream = context.connect();
    // Every other one with bytes that nobody will read the answer to.
    if (count % 2 == 0) stream.send_some(64);
    stream.close();
  }
  Stream after = context.connect();
  ping(context, after);
  after.finish_and_check(context.deadline);
  context.seen = fmt::format("{} connections closed at once, the next one was served", count_all);
}

}  // namespace

std::vector<Case> ending_cases() {
  using std::chrono::seconds;
  return {
      {"half-close",
       "4 MiB and a FIN before the first read: everything comes, then a FIN, no reset", seconds(60),
       half_close},
      {"half-close-empty", "a FIN without a byte is answered by a FIN", seconds(60),
       half_close_empty},
      {"reset-in-stream", "resets with bytes under way; the server lives", seconds(60),
       reset_in_stream},
      {"connect-and-vanish", "1,000 connections closed as soon as they stand", seconds(60),
       connect_and_vanish},
  };
}

}  // namespace lab
