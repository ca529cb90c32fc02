// What the measured interval cost: our own thread and core, the server's core and process. And who
// was the limit, which is what makes any other figure worth something.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "05-performance/ringload/options.hpp"
#include "05-performance/ringload/processor_time.hpp"

namespace lab {

/// What happened between two readings.
struct Usage {
  double seconds = 0;
  double own_cpu_s = 0;   ///< of our thread
  double own_wait_s = 0;  ///< our thread could have run, and others had the processor
  double idle_share = 0;  ///< --spin: time in rounds that found nothing
  bool spin = false;
  std::optional<ProcessorUse> own_core;
  std::optional<ProcessorUse> server_core;
  std::optional<double> server_process_s;

  /// The share of the interval in which the generator had work to do or waited to be let to it.
  double own_busy_share() const noexcept;
  /// The server's core, or its processes in cores' worth; nothing when nobody named the server.
  std::optional<double> server_busy_share() const noexcept;
};

/// Reads the clocks. Lifetime: apart from everything; the thread that reads is the generator's.
class Meter {
 public:
  struct Reading {
    std::uint64_t at_ns, idle_ns, thread_ns, waited_ns, process_ns;
    std::optional<ProcessorTime> own_core, server_core;
  };

  /// @throws std::system_error when there is no process --server-pid
  explicit Meter(const LoadOptions& options);

  /// @param idle_ns --spin: time spent so far in rounds that found nothing
  /// @throws std::runtime_error when there is no processor --cpu or --server-cpu
  Reading read(std::uint64_t idle_ns = 0);
  Usage between(const Reading& begin, const Reading& end) const;

 private:
  const LoadOptions& options_;
  std::optional<ProcessClocks> server_process_;
};

/// Who kept the figure from being higher.
enum class Limit {
  generator,  ///< our core was full, the server's was not or is not known: the figure is ours
  server,     ///< the server's core was full: the figure is the server's
  neither,    ///< nobody was full: the load asked for no more
  none_seen,  ///< we were not full; nobody told where the server is
  unknown     ///< we were nearly full
};

/// A core with at least this share of its time in use has no room left.
inline constexpr double core_full_share = 0.97;
/// With less than this it had room. In between nobody can tell.
inline constexpr double core_room_share = 0.90;

Limit limit_of(const Usage& usage) noexcept;
/// One word for tables and JSON.
const char* limit_name(Limit limit) noexcept;
/// The verdict in a sentence, with the figures it rests on and the flags that would say more.
std::string verdict(const Usage& usage);

}  // namespace lab
