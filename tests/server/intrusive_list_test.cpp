#include "06-server/lib/engine/intrusive_list.hpp"

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <vector>

#include "tests/conformance/pattern.hpp"

namespace lab {
namespace {

struct Member {
  int number = 0;
  ListLink<Member> link;
  ListLink<Member> other_link;
};

using List = IntrusiveList<Member, &Member::link>;
using OtherList = IntrusiveList<Member, &Member::other_link>;

std::array<Member, 5> members() {
  std::array<Member, 5> all;
  for (int number = 0; number < 5; ++number) all[static_cast<std::size_t>(number)].number = number;
  return all;
}

template <class AnyList>
std::vector<int> numbers(const AnyList& list) {
  std::vector<int> found;
  for (const Member* one = list.front(); one != nullptr; one = AnyList::next(*one)) {
    found.push_back(one->number);
  }
  return found;
}

TEST(IntrusiveList, IsEmptyAtFirst) {
  const List list;
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.size(), 0U);
  EXPECT_EQ(list.front(), nullptr);
}

TEST(IntrusiveList, KeepsTheOrderOfArrival) {
  auto all = members();
  List list;
  for (Member& one : all) list.push_back(one);
  EXPECT_EQ(numbers(list), (std::vector{0, 1, 2, 3, 4}));
  EXPECT_EQ(list.size(), 5U);
}

TEST(IntrusiveList, RemovesFromTheFrontTheMiddleAndTheBack) {
  auto all = members();
  List list;
  for (Member& one : all) list.push_back(one);
  list.remove(all[2]);
  EXPECT_EQ(numbers(list), (std::vector{0, 1, 3, 4}));
  list.remove(all[0]);
  EXPECT_EQ(numbers(list), (std::vector{1, 3, 4}));
  list.remove(all[4]);
  EXPECT_EQ(numbers(list), (std::vector{1, 3}));
  list.push_back(all[0]);
  EXPECT_EQ(numbers(list), (std::vector{1, 3, 0}));
  for (const std::size_t left : {1U, 3U, 0U}) list.remove(all[left]);
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.front(), nullptr);
}

TEST(IntrusiveList, ARemovedMemberHasNoNeighbours) {
  auto all = members();
  List list;
  list.push_back(all[0]);
  list.push_back(all[1]);
  list.remove(all[0]);
  EXPECT_EQ(all[0].link.previous, nullptr);
  EXPECT_EQ(all[0].link.next, nullptr);
}

TEST(IntrusiveList, MovesToTheBackFromAnywhere) {
  auto all = members();
  List list;
  for (Member& one : all) list.push_back(one);
  list.move_to_back(all[4]);
  EXPECT_EQ(numbers(list), (std::vector{0, 1, 2, 3, 4}));
  list.move_to_back(all[0]);
  EXPECT_EQ(numbers(list), (std::vector{1, 2, 3, 4, 0}));
  list.move_to_back(all[3]);
  EXPECT_EQ(numbers(list), (std::vector{1, 2, 4, 0, 3}));
  EXPECT_EQ(list.size(), 5U);
}

TEST(IntrusiveList, AMemberCanStandInTwoListsByTwoLinks) {
  auto all = members();
  List list;
  OtherList other;
  for (Member& one : all) list.push_back(one);
  other.push_back(all[3]);
  other.push_back(all[1]);
  list.remove(all[3]);
  EXPECT_EQ(numbers(list), (std::vector{0, 1, 2, 4}));
  EXPECT_EQ(numbers(other), (std::vector{3, 1}));
}

TEST(IntrusiveList, DoesWhatADequeDoes) {
  std::array<Member, 16> all;
  for (std::size_t index = 0; index < all.size(); ++index) {
    all[index].number = static_cast<int>(index);
  }
  List list;
  std::deque<int> model;
  Random random(7);
  for (unsigned step = 0; step < 5000; ++step) {
    Member& one = all[random.between(0, all.size() - 1)];
    const auto place = std::find(model.begin(), model.end(), one.number);
    if (place == model.end()) {
      list.push_back(one);
      model.push_back(one.number);
    } else if (random.between(0, 1) == 0) {
      list.remove(one);
      model.erase(place);
    } else {
      list.move_to_back(one);
      model.erase(place);
      model.push_back(one.number);
    }
    ASSERT_EQ(numbers(list), std::vector<int>(model.begin(), model.end())) << "step " << step;
    ASSERT_EQ(list.size(), model.size());
  }
}

TEST(IntrusiveListDeathTest, RemovingFromAnEmptyListIsABug) {
  Member one;
  List list;
  EXPECT_DEATH(list.remove(one), "LAB_ASSERT");
}

}  // namespace
}  // namespace lab
