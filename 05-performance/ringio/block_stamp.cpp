#include "05-performance/ringio/block_stamp.hpp"

#include <array>
#include <cstring>

namespace lab {

namespace {

constexpr std::uint64_t magic = 0x6f69676e69722d31U;  // "1-ringio"

struct Header {
  std::uint64_t magic;
  std::uint64_t seed;
  std::uint64_t file;
  std::uint64_t offset;
  std::uint64_t generation;
  std::uint64_t checksum;
};
constexpr std::size_t summed_from = sizeof(Header);
constexpr std::size_t word_size = sizeof(std::uint64_t);

std::uint64_t load_word(const std::byte* from) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, from, word_size);
  return word;
}

std::uint64_t mix(std::uint64_t sum, std::uint64_t word) noexcept {
  sum = (sum ^ word) * 0x9e3779b97f4a7c15U;
  return sum ^ (sum >> 32);
}

// Four sums side by side: one alone would wait for its own multiplication at every word.
std::uint64_t checksum(std::span<const std::byte> block, const Header& header) noexcept {
  std::array<std::uint64_t, 4> sums{header.seed, header.file, header.offset, header.generation};
  for (std::uint64_t& sum : sums) sum = mix(magic, sum);
  std::size_t place = summed_from;
  for (; place + 4 * word_size <= block.size(); place += 4 * word_size) {
    for (std::size_t lane = 0; lane < 4; ++lane) {
      sums[lane] = mix(sums[lane], load_word(block.data() + place + lane * word_size));
    }
  }
  for (; place < block.size(); place += word_size) {
    sums[0] = mix(sums[0], load_word(block.data() + place));
  }
  return mix(mix(sums[0], sums[1]), mix(sums[2], sums[3]));
}

}  // namespace

void fill_block(std::span<std::byte> block, const BlockStamp& stamp) noexcept {
  Xorshift random(Xorshift::spread(stamp.seed ^ Xorshift::spread(stamp.file)) ^
                  Xorshift::spread(stamp.offset + stamp.generation));
  for (std::size_t place = summed_from; place < block.size(); place += word_size) {
    const std::uint64_t word = random.next();
    std::memcpy(block.data() + place, &word, word_size);
  }
  Header header{magic, stamp.seed, stamp.file, stamp.offset, stamp.generation, 0};
  header.checksum = checksum(block, header);
  std::memcpy(block.data(), &header, sizeof header);
}

BlockFault check_block(std::span<const std::byte> block, const BlockStamp& expected,
                       bool check_generation) noexcept {
  Header header{};
  std::memcpy(&header, block.data(), sizeof header);
  if (header.magic != magic) return BlockFault::no_stamp;
  if (header.checksum != checksum(block, header)) return BlockFault::checksum;
  if (header.seed != expected.seed) return BlockFault::wrong_seed;
  if (header.file != expected.file || header.offset != expected.offset) {
    return BlockFault::misplaced;
  }
  if (check_generation && header.generation != expected.generation) return BlockFault::stale;
  return BlockFault::none;
}

const char* to_text(BlockFault fault) noexcept {
  switch (fault) {
    case BlockFault::none:
      return "nothing is wrong";
    case BlockFault::no_stamp:
      return "it carries no stamp: ringio --verify has never written it";
    case BlockFault::checksum:
      return "its checksum is wrong: bytes have changed";
    case BlockFault::wrong_seed:
      return "it was written with another --seed";
    case BlockFault::misplaced:
      return "it belongs to another place: an operation went astray";
    case BlockFault::stale:
      return "it has an older content: a write was lost";
  }
  return "";
}

}  // namespace lab
