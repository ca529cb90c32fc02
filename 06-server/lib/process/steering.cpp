#include "06-server/lib/process/steering.hpp"

#include <linux/filter.h>
#include <sys/socket.h>

#include <algorithm>
#include <vector>

#include "01-core/lib/check.hpp"

namespace lab {

namespace {

constexpr std::uint16_t load_word = BPF_LD | BPF_W | BPF_ABS;
constexpr std::uint16_t load_byte = BPF_LD | BPF_B | BPF_ABS;

// A negative offset, as the kernel's own: from the beginning of the IP header.
constexpr std::uint32_t in_ip_header(unsigned offset) noexcept {
  return static_cast<std::uint32_t>(SKF_NET_OFF) + offset;
}

// A word's first bits.
constexpr std::uint32_t mask(unsigned bits) noexcept { return bits >= 32 ? ~0U : ~(~0U >> bits); }
constexpr unsigned bits_of_word(unsigned prefix_bits, unsigned word) noexcept {
  return std::clamp(prefix_bits, 32 * word, 32 * word + 32) - 32 * word;
}

void attach(int listener_fd, std::vector<sock_filter>& program) {
  const sock_fprog attached{.len = static_cast<unsigned short>(program.size()),
                            .filter = program.data()};
  check_errno(
      setsockopt(listener_fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &attached, sizeof attached),
      "SO_ATTACH_REUSEPORT_CBPF");
}

// The accumulator says which; each answers with an index.
void answer_by(std::vector<sock_filter>& program, unsigned value, unsigned index) {
  // Equal: the next instruction answers. Otherwise it is jumped over.
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, index));
}

// The accumulator into one number, so that one bit of it changes half of the bits: twice "multiply,
// and fold the upper half onto the lower".
constexpr std::uint32_t second_factor = 0x85ebca6b;

void mix(std::vector<sock_filter>& program, std::uint32_t key) {
  for (const std::uint32_t factor : {key, second_factor}) {
    program.push_back(BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, factor));
    program.push_back(BPF_STMT(BPF_MISC | BPF_TAX, 0));
    program.push_back(BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 16));
    program.push_back(BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0));
  }
}
std::uint32_t mixed(std::uint32_t word, std::uint32_t key) noexcept {
  for (const std::uint32_t factor : {key, second_factor}) {
    word *= factor;
    word ^= word >> 16;
  }
  return word;
}

// Four words: each is mixed with what those before it gave, which scratch memory keeps.
std::vector<sock_filter> ipv6_hash(const SourceShares& shares) {
  std::vector<sock_filter> program;
  constexpr unsigned source_offset = 8;
  for (unsigned word = 0; 32 * word < shares.prefix_bits; ++word) {
    const unsigned bits = bits_of_word(shares.prefix_bits, word);
    program.push_back(BPF_STMT(load_word, in_ip_header(source_offset + 4 * word)));
    program.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask(bits)));
    if (word > 0) {
      program.push_back(BPF_STMT(BPF_LDX | BPF_W | BPF_MEM, 0));
      program.push_back(BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0));
    }
    mix(program, shares.key);
    program.push_back(BPF_STMT(BPF_ST, 0));
  }
  return program;
}

}  // namespace

void steer_by_cpu(int listener_fd, std::span<const CpuTarget> targets, unsigned default_index) {
  std::vector<sock_filter> program;
  program.reserve(2 * targets.size() + 2);
  program.push_back(BPF_STMT(load_word, static_cast<unsigned>(SKF_AD_OFF + SKF_AD_CPU)));
  for (const CpuTarget& target : targets) {
    answer_by(program, static_cast<unsigned>(target.cpu), target.group_index);
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, default_index));
  attach(listener_fd, program);
}

void steer_by_source(int listener_fd, const SourceShares& shares) {
  const std::vector<sock_filter> ipv6 = ipv6_hash(shares);
  std::vector<sock_filter> program;
  program.push_back(BPF_STMT(load_byte, in_ip_header(0)));
  program.push_back(BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4));
  constexpr unsigned ipv4_size = 10;  // below, with the jump that ends it
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 4, 0, ipv4_size));
  constexpr unsigned ipv4_source_offset = 12;
  program.push_back(BPF_STMT(load_word, in_ip_header(ipv4_source_offset)));
  mix(program, shares.key);
  program.push_back(BPF_STMT(BPF_JMP | BPF_JA, static_cast<unsigned>(ipv6.size())));
  program.insert(program.end(), ipv6.begin(), ipv6.end());
  const auto count = static_cast<unsigned>(shares.group_indices.size());
  program.push_back(BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, count));
  for (unsigned share = 0; share + 1 < count; ++share) {
    answer_by(program, share, shares.group_indices[share]);
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, shares.group_indices.back()));
  attach(listener_fd, program);
}

unsigned source_share(std::span<const std::uint32_t> words, const SourceShares& shares) {
  std::uint32_t hash = 0;
  if (words.size() == 1) {
    hash = mixed(words.front(), shares.key);
  } else {
    for (unsigned word = 0; 32 * word < shares.prefix_bits; ++word) {
      const std::uint32_t kept = words[word] & mask(bits_of_word(shares.prefix_bits, word));
      hash = mixed(kept ^ hash, shares.key);
    }
  }
  return hash % static_cast<unsigned>(shares.group_indices.size());
}

}  // namespace lab
