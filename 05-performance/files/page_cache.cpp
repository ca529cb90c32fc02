#include "05-performance/files/page_cache.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>

namespace lab {

double cached_share(const Fd& file) noexcept {
  struct stat status {};
  if (fstat(file.get(), &status) != 0 || status.st_size == 0) return 1;
  const auto size = static_cast<std::size_t>(status.st_size);
  void* mapped = mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
  if (mapped == MAP_FAILED) return 1;
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  std::array<unsigned char, 4096> pages{};  // a part of the file at a time: it can be large
  std::size_t there = 0;
  for (std::size_t at = 0; at < size; at += pages.size() * page) {
    pages.fill(0);
    mincore(static_cast<std::byte*>(mapped) + at, std::min(size - at, pages.size() * page),
            pages.data());
    there += static_cast<std::size_t>(
        std::ranges::count_if(pages, [](unsigned char flags) { return (flags & 1) != 0; }));
  }
  munmap(mapped, size);
  return static_cast<double>(there) / static_cast<double>((size + page - 1) / page);
}

}  // namespace lab
