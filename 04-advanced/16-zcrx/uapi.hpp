// What the kernel's header include/uapi/linux/io_uring/zcrx.h has and liburing 2.9 has not, under
// names of our own, so that newer headers may stand beside it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace zcrx {

inline constexpr unsigned register_ifq = 32;              ///< IORING_REGISTER_ZCRX_IFQ, Linux 6.15
inline constexpr unsigned register_control = 36;          ///< IORING_REGISTER_ZCRX_CTRL
inline constexpr std::uint32_t without_device = 1U << 1;  ///< ZCRX_REG_NODEV, tried on Linux 7.2
inline constexpr std::uint32_t flush_refills = 0;         ///< ZCRX_CTRL_FLUSH_RQ
inline constexpr unsigned area_shift = 48;                ///< IORING_ZCRX_AREA_SHIFT

/// A page that goes home: io_uring_zcrx_rqe.
struct Refill {
  std::uint64_t offset;  ///< in the area; the upper bits are the area's token
  std::uint32_t length;
  std::uint32_t unused;
};

/// The memory that is received into: io_uring_zcrx_area_reg.
struct Area {
  std::uint64_t address;
  std::uint64_t length;
  std::uint64_t token;  ///< the kernel's answer
  std::uint32_t flags;
  std::uint32_t dmabuf_fd;
  std::uint64_t reserved[2];
};

/// Where the refill ring's parts lie in its memory, in bytes: io_uring_zcrx_offsets.
struct Offsets {
  std::uint32_t head;
  std::uint32_t tail;
  std::uint32_t refills;
  std::uint32_t reserved[5];
};

/// Ties a receive queue, an area and a refill ring to a ring: io_uring_zcrx_ifq_reg.
struct Registration {
  std::uint32_t device;   ///< if_nametoindex()
  std::uint32_t queue;    ///< one of its receive queues
  std::uint32_t entries;  ///< of the refill ring; the kernel rounds up to a power of two
  std::uint32_t flags;
  std::uint64_t area;    ///< address of an Area
  std::uint64_t region;  ///< address of an io_uring_region_desc: the refill ring's memory
  Offsets at;            ///< the kernel's answer
  std::uint32_t id;      ///< the kernel's answer; every receive names it
  std::uint32_t buffer_size;
  std::uint64_t reserved[3];
};

/// A command to what was registered: zcrx_ctrl.
struct Control {
  std::uint32_t id;
  std::uint32_t operation;
  std::uint64_t reserved[8];
};

static_assert(sizeof(Refill) == 16 && sizeof(Area) == 48 && sizeof(Offsets) == 32);
static_assert(sizeof(Registration) == 96 && offsetof(Registration, id) == 64);
static_assert(sizeof(Control) == 72);

}  // namespace zcrx
