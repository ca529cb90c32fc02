// What the user asked ringio to do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lab {

enum class IoMode { read, write, mixed };
enum class IoAccess { random, sequential };

struct IoOptions {
  std::vector<std::string> paths;     ///< empty: files of its own, in `directory`
  std::string directory;              ///< empty: TMPDIR, else the working folder
  unsigned files = 1;                 ///< how many of its own
  std::optional<std::uint64_t> size;  ///< bytes used of each file; of its own: 1 GiB otherwise
  bool overwrite = false;             ///< existing files may be written
  bool overwrite_device = false;      ///< block devices, too
  bool keep = false;                  ///< its own files stay

  IoMode mode = IoMode::read;
  IoAccess access = IoAccess::random;
  unsigned read_share = 70;  ///< percent of the operations of IoMode::mixed
  std::size_t block_size = 4096;
  unsigned depth = 32;  ///< operations of a job in flight
  unsigned jobs = 1;    ///< threads, each with a ring and a part of every file
  unsigned batch = 1;   ///< completions that a job waits for
  unsigned submit = 4;  ///< operations that are gathered before they go out
  std::vector<int> cpus;

  bool direct = true;
  bool fixed_buffers = true;
  bool fixed_files = true;
  bool iopoll = false;
  bool sqpoll = false;

  double warmup_s = 0;
  double runtime_s = 5;
  std::optional<std::uint64_t> count;  ///< operations of all jobs, instead of a time

  bool verify = false;
  std::uint64_t seed = 1;

  bool histogram = false;
  bool json = false;
  bool quiet = false;
  std::string plot;  ///< folder for the pictures; empty: none

  bool writes() const noexcept { return mode != IoMode::read; }
  bool reads() const noexcept { return mode != IoMode::write; }
};

/// Reads the command line. Prints help or an error and ends the process when there is nothing to
/// run.
IoOptions parse_options(int argc, char** argv);

}  // namespace lab
