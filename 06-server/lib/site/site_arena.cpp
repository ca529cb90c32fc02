#include "06-server/lib/site/site_arena.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "01-core/lib/check.hpp"
#include "06-server/lib/os/memory_file.hpp"
#include "06-server/lib/site/site_error.hpp"
#include "06-server/lib/site/site_format.hpp"

namespace lab {

namespace {

constexpr std::uint64_t alignment = 64;

}  // namespace

SiteArena::SiteArena(std::uint64_t bytes_max)
    : bytes_max_(bytes_max), memory_(memory_file("site")), used_(site_header_size) {}

std::uint64_t SiteArena::append(std::span<const std::byte> bytes) {
  const std::uint64_t size = (bytes.size() + alignment - 1) / alignment * alignment;
  const std::uint64_t offset = used_.fetch_add(size);
  if (offset + size > bytes_max_) {
    throw SiteError(
        fmt::format("the site does not fit into the memory for it ({} MiB). Cure: a smaller "
                    "--memory-limit-file, so that large files are streamed, or more memory",
                    bytes_max_ >> 20U));
  }
  write(offset, bytes);
  return offset;
}

void SiteArena::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t done =
        pwrite(memory_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) {
      throw SiteError(fmt::format(
          "no memory for the site: {}. Cure: a smaller --memory-limit-file, so that large files "
          "are streamed, or more memory",
          std::strerror(errno)));
    }
    bytes = bytes.subspan(static_cast<std::size_t>(done));
    offset += static_cast<std::uint64_t>(done);
  }
}

Fd SiteArena::finish() {
  check_errno(ftruncate(memory_.get(), static_cast<off_t>(size())), "ftruncate");
  seal_size(memory_);
  return std::move(memory_);
}

}  // namespace lab
