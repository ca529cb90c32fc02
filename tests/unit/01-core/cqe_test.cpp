#include "01-core/lib/cqe.hpp"

#include <gtest/gtest.h>

namespace lab {
namespace {

TEST(Cqe, EachFlagIsItsOwn) {
  const Cqe none{.res = 0, .flags = 0};
  EXPECT_FALSE(none.more() || none.has_buffer() || none.buffer_more() || none.notification());

  const Cqe more{.res = 0, .flags = IORING_CQE_F_MORE};
  EXPECT_TRUE(more.more());
  EXPECT_FALSE(more.has_buffer() || more.buffer_more() || more.notification());

  const Cqe buffer{.res = 0, .flags = IORING_CQE_F_BUFFER};
  EXPECT_TRUE(buffer.has_buffer());
  EXPECT_FALSE(buffer.more() || buffer.buffer_more() || buffer.notification());

  const Cqe buffer_more{.res = 0, .flags = IORING_CQE_F_BUF_MORE};
  EXPECT_TRUE(buffer_more.buffer_more());
  EXPECT_FALSE(buffer_more.more() || buffer_more.has_buffer() || buffer_more.notification());

  const Cqe notification{.res = 0, .flags = IORING_CQE_F_NOTIF};
  EXPECT_TRUE(notification.notification());
  EXPECT_FALSE(notification.more() || notification.has_buffer() || notification.buffer_more());
}

TEST(Cqe, ABufferIdIsNoFlag) {
  // Buffer 0xffff fills the upper half of the flags; the lower half must not notice.
  const Cqe cqe{.res = 0, .flags = 0xffff0000U};
  EXPECT_FALSE(cqe.more() || cqe.has_buffer() || cqe.buffer_more() || cqe.notification());
}

}  // namespace
}  // namespace lab
