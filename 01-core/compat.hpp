// What the kernel has and liburing 2.9's headers have not, so that no lesson needs an #if. Where
// the helper that prepares the SQE is newer, too, the lesson fills the SQE itself and says so.
// Source: include/uapi/linux/io_uring.h of the kernel version named.
#pragma once

#include <cstdint>

namespace lab::compat {

inline constexpr std::uint8_t op_recv_zc = 58;       ///< IORING_OP_RECV_ZC, Linux 6.15
inline constexpr std::uint8_t op_epoll_wait = 59;    ///< IORING_OP_EPOLL_WAIT, Linux 6.15
inline constexpr std::uint8_t op_readv_fixed = 60;   ///< IORING_OP_READV_FIXED, Linux 6.15
inline constexpr std::uint8_t op_writev_fixed = 61;  ///< IORING_OP_WRITEV_FIXED, Linux 6.15
inline constexpr std::uint8_t op_pipe = 62;          ///< IORING_OP_PIPE, Linux 6.16

inline constexpr unsigned setup_cqe_mixed = 1U << 18;  ///< IORING_SETUP_CQE_MIXED, Linux 6.18
inline constexpr unsigned cqe_f_skip = 1U << 5;        ///< IORING_CQE_F_SKIP, Linux 6.18
inline constexpr unsigned cqe_f_32 = 1U << 15;         ///< IORING_CQE_F_32, Linux 6.18
inline constexpr unsigned nop_cqe32 = 1U << 5;         ///< IORING_NOP_CQE32, Linux 6.18

inline constexpr unsigned register_send_msg_ring = 31;  ///< IORING_REGISTER_SEND_MSG_RING, 6.13
inline constexpr unsigned register_query = 35;          ///< IORING_REGISTER_QUERY, Linux 6.18

}  // namespace lab::compat
