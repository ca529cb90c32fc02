// What a block of --verify carries: where it belongs, which run wrote it and how often, and a
// checksum over all of it. The rest is pseudo-random, so that a device cannot pack it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "05-performance/ringio/xorshift.hpp"

namespace lab {

/// Which content a block has. Two blocks never have the same stamp.
struct BlockStamp {
  std::uint64_t seed = 0;
  std::uint64_t file = 0;        ///< number of the file
  std::uint64_t offset = 0;      ///< bytes from the file's beginning
  std::uint64_t generation = 0;  ///< how often this run had written the block; 0: when laid out
};

/// What is wrong with a block, the most telling first.
enum class BlockFault {
  none,
  no_stamp,    ///< never written by ringio
  checksum,    ///< some byte has changed
  wrong_seed,  ///< of another run
  misplaced,   ///< belongs to another place: a write or a read went astray
  stale        ///< an older content: a write was lost
};

/// Fills the block. REQUIRES: its size is a multiple of 8 and at least 512.
void fill_block(std::span<std::byte> block, const BlockStamp& stamp) noexcept;

/// What is found there instead of `expected`.
/// @param check_generation false: any generation is right
BlockFault check_block(std::span<const std::byte> block, const BlockStamp& expected,
                       bool check_generation) noexcept;

const char* to_text(BlockFault fault) noexcept;

}  // namespace lab
