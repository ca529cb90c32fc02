#include "06-server/lib/process/steering.hpp"

#include <cerrno>
#include <system_error>

namespace lab {

namespace {

[[noreturn]] void refuse() {
  throw std::system_error(EOPNOTSUPP, std::generic_category(), "steering (a program for Linux)");
}

}  // namespace

void steer_by_cpu(int, std::span<const CpuTarget>, unsigned) { refuse(); }

void steer_by_source(int, const SourceShares&) { refuse(); }

unsigned source_share(std::span<const std::uint32_t>, const SourceShares&) { return 0; }

}  // namespace lab
