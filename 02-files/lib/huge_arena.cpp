#include "02-files/lib/huge_arena.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <system_error>

namespace lab {

namespace {

constexpr std::size_t huge_page = std::size_t{2} << 20;

// True when at least half of the mapping that starts at `memory` is in transparent huge pages.
bool mostly_transparent(const void* memory, std::size_t size) {
  std::ifstream smaps("/proc/self/smaps");
  std::string line;
  bool inside = false;
  std::size_t huge_kib = 0;
  while (std::getline(smaps, line)) {
    unsigned long from = 0, to = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &from, &to) == 2) {
      const auto address = reinterpret_cast<std::uintptr_t>(memory);
      inside = from < address + size && address < to;
    } else if (unsigned long kib = 0;
               inside && std::sscanf(line.c_str(), "AnonHugePages: %lu kB", &kib) == 1) {
      huge_kib += kib;
    }
  }
  return huge_kib * 1024 * 2 >= size;
}

}  // namespace

HugeArena::HugeArena(std::size_t size, Pages largest)
    : size_(size), mapped_((size + huge_page - 1) / huge_page * huge_page) {
  constexpr int access = PROT_READ | PROT_WRITE;
  constexpr int kind = MAP_PRIVATE | MAP_ANONYMOUS;
  void* memory = MAP_FAILED;
  if (largest == Pages::huge) {
    memory = mmap(nullptr, mapped_, access, kind | MAP_HUGETLB | MAP_POPULATE, -1, 0);
  }
  if (memory != MAP_FAILED) {
    memory_ = static_cast<std::byte*>(memory);
    pages_ = Pages::huge;
    return;
  }
  // A transparent huge page needs an aligned range: map one page more and give the ends back.
  memory = mmap(nullptr, mapped_ + huge_page, access, kind, -1, 0);
  if (memory == MAP_FAILED) {
    throw std::system_error(errno, std::generic_category(), "mmap (memory for buffers)");
  }
  auto* start = static_cast<std::byte*>(memory);
  const std::size_t before =
      (huge_page - reinterpret_cast<std::uintptr_t>(start) % huge_page) % huge_page;
  if (before != 0) munmap(start, before);
  munmap(start + before + mapped_, huge_page - before);
  memory_ = start + before;
  const bool plain = largest == Pages::plain;
  madvise(memory_, mapped_, plain ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
  const std::size_t touched = plain ? size_ : mapped_;
  for (std::size_t offset = 0; offset < touched; offset += 4096) memory_[offset] = std::byte{0};
  if (!plain && mostly_transparent(memory_, mapped_)) pages_ = Pages::transparent;
}

HugeArena::~HugeArena() { munmap(memory_, mapped_); }

const char* HugeArena::pages_name() const noexcept {
  switch (pages_) {
    case Pages::huge:
      return "huge pages";
    case Pages::transparent:
      return "transparent huge pages";
    case Pages::plain:
      break;
  }
  return "plain pages";
}

}  // namespace lab
