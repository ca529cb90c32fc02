#include "01-core/lib/completion.hpp"

#include <cerrno>
#include <memory>
#include <optional>
#include <type_traits>

#include "tests/unit/support.hpp"

namespace lab {
namespace {

// A connection embeds several; what each costs is part of its 256 bytes.
struct Owner {
  void on_first(Cqe cqe) noexcept { first = cqe; }
  void on_second(Cqe cqe) noexcept { second = cqe; }

  std::optional<Cqe> first, second;
  Bind<Completion, &Owner::on_first> first_{*this};
  Bind<Completion, &Owner::on_second> second_{*this};
};

static_assert(sizeof(Completion) == 16);
static_assert(sizeof(Bind<Completion, &Owner::on_first>) == 24);
static_assert(!std::is_copy_constructible_v<Completion>);
static_assert(!std::is_move_constructible_v<Completion>, "the kernel knows its address");

TEST(Completion, BindCallsTheMethodOfItsOwner) {
  Owner owner, other;
  owner.first_.handle({.res = 7, .flags = IORING_CQE_F_MORE});
  ASSERT_TRUE(owner.first);
  EXPECT_EQ(owner.first->res, 7);
  EXPECT_TRUE(owner.first->more());
  EXPECT_FALSE(owner.second);
  EXPECT_FALSE(other.first);

  owner.second_.handle({.res = -EIO, .flags = 0});
  ASSERT_TRUE(owner.second);
  EXPECT_EQ(owner.second->res, -EIO);
}

TEST(Completion, IsArmedFromArmToTheLastCqe) {
  Ring ring;
  Recorder<> recorder;
  EXPECT_FALSE(recorder.operation.armed());
  arm_nop(ring, recorder.operation);
  EXPECT_TRUE(recorder.operation.armed()) << "the SQE is queued: its memory is spoken for";
  run_until_disarmed(ring, recorder);
  EXPECT_EQ(recorder.cqes.size(), 1U);
}

TEST(CompletionDeathTest, MayNotDieWhileArmed) {
  EXPECT_DEATH(
      {
        Ring ring;
        auto recorder = std::make_unique<Recorder<>>();
        arm_nop(ring, recorder->operation);
        recorder.reset();
      },
      "LAB_ASSERT\\(!armed_\\)");
}

}  // namespace
}  // namespace lab
