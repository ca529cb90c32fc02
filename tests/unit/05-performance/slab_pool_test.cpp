#include "05-performance/lib/slab_pool.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <set>
#include <vector>

namespace lab {
namespace {

// Counts the living, so that a missing or a second destruction shows.
struct Item {
  explicit Item(int number) : value(number) { ++alive; }
  ~Item() { --alive; }
  Item(const Item&) = delete;
  Item& operator=(const Item&) = delete;
  int value;
  static inline int alive = 0;
};

TEST(SlabPool, FreeRoomHoldsNoObject) {
  const SlabPool<Item> pool(4);
  EXPECT_EQ(Item::alive, 0);
  EXPECT_EQ(pool.size(), 4U);
  EXPECT_EQ(pool.free(), 4U);
  EXPECT_EQ(pool.used(), 0U);
}

TEST(SlabPool, ExhaustedGivesNull) {
  SlabPool<Item> pool(3);
  std::vector<Item*> items;
  for (int value = 0; value < 3; ++value) items.push_back(pool.create(value));
  EXPECT_EQ(std::set<Item*>(items.begin(), items.end()).size(), 3U);
  EXPECT_EQ(pool.free(), 0U);
  EXPECT_EQ(pool.create(3), nullptr);
  EXPECT_EQ(Item::alive, 3) << "nothing is constructed without room";
  for (int value = 0; value < 3; ++value) {
    EXPECT_EQ(items[static_cast<std::size_t>(value)]->value, value);
  }
  for (Item* item : items) pool.destroy(item);
  EXPECT_EQ(Item::alive, 0);
  EXPECT_EQ(pool.free(), 3U);
}

TEST(SlabPool, TheLatestRoomIsUsedFirst) {
  SlabPool<Item> pool(8);
  Item* first = pool.create(1);
  Item* second = pool.create(2);
  pool.destroy(first);
  Item* third = pool.create(3);
  EXPECT_EQ(static_cast<void*>(third), static_cast<void*>(first)) << "it is still in the cache";
  EXPECT_EQ(third->value, 3);
  EXPECT_EQ(second->value, 2);
  pool.destroy(second);
  pool.destroy(third);
}

TEST(SlabPool, OfSizeZeroIsAlwaysEmpty) {
  SlabPool<Item> pool(0);
  EXPECT_EQ(pool.create(1), nullptr);
}

TEST(SlabPool, KeepsTheAlignment) {
  struct alignas(128) Aligned {
    char byte = 'a';
  };
  struct Small {
    char byte = 'b';  // smaller than the pointer of the free list
  };
  SlabPool<Aligned> aligned(5);
  SlabPool<Small> small(5);
  std::vector<Aligned*> objects;
  std::vector<Small*> bytes;
  for (int count = 0; count < 5; ++count) {
    objects.push_back(aligned.create());
    bytes.push_back(small.create());
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(objects.back()) % 128, 0U);
  }
  for (Aligned* object : objects) aligned.destroy(object);
  for (Small* byte : bytes) {
    EXPECT_EQ(byte->byte, 'b');
    small.destroy(byte);
  }
}

TEST(SlabPool, ForwardsMoveOnlyArguments) {
  struct Owner {
    explicit Owner(std::unique_ptr<int> number) : value(std::move(number)) {}
    std::unique_ptr<int> value;
  };
  SlabPool<Owner> pool(1);
  Owner* owner = pool.create(std::make_unique<int>(42));
  EXPECT_EQ(*owner->value, 42);
  pool.destroy(owner);
}

TEST(SlabPool, RandomUseKeepsEveryObjectWhole) {
  constexpr std::uint32_t size = 50;
  SlabPool<Item> pool(size);
  std::vector<std::pair<Item*, int>> living;
  std::mt19937 random(1);
  for (int step = 0; step < 20'000; ++step) {
    if (random() % 2 == 0) {
      Item* item = pool.create(step);
      ASSERT_EQ(item == nullptr, living.size() == size);
      if (item != nullptr) living.emplace_back(item, step);
    } else if (!living.empty()) {
      const std::size_t which = random() % living.size();
      ASSERT_EQ(living[which].first->value, living[which].second);
      pool.destroy(living[which].first);
      living[which] = living.back();
      living.pop_back();
    }
    ASSERT_EQ(pool.used(), living.size());
  }
  for (const auto& [item, value] : living) {
    EXPECT_EQ(item->value, value);
    pool.destroy(item);
  }
  EXPECT_EQ(Item::alive, 0);
}

TEST(SlabPoolDeathTest, DiesAfterItsObjects) {
  EXPECT_DEATH(
      {
        SlabPool<Item> pool(1);
        pool.create(1);
      },
      "LAB_ASSERT\\(used\\(\\) == 0\\)");
}

}  // namespace
}  // namespace lab
