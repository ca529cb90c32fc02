// shows: a limit for each of a million clients in fixed memory, what a known hash gives away, and
//        what it costs to ask before each accept
// needs: Linux 5.19 (multishot accept)
// try:   ./lab run 06/12; then ./lab break 06/12
#include <arpa/inet.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "01-core/lesson.hpp"
#include "06-server/12-rate-limits/accepts.hpp"
#include "06-server/lib/limits/client_address.hpp"
#include "06-server/lib/limits/rate_limit.hpp"
#include "06-server/lib/limits/rate_table.hpp"
#include "06-server/lib/limits/sip_key.hpp"
#include "06-server/lib/limits/siphash.hpp"

namespace {

constexpr std::uint64_t second = 1'000'000'000;

// [walk gcra]
// Ten a second, and twenty at once from a client that was quiet. `due` is all that is remembered:
// when the client would be due if it kept to the rate exactly.
constexpr std::uint64_t interval = second / 10;
constexpr std::uint64_t early_max = 19 * interval;

bool admit(std::uint64_t& due, std::uint64_t now) {
  const auto early = static_cast<std::int64_t>(due - now);  // of a clock that wraps, too
  if (early > static_cast<std::int64_t>(early_max)) return false;
  due = (early > 0 ? due : now) + interval;
  return true;
}
// [/walk]

// [walk client]
lab::ClientId client(const lab::SipKey& key, std::uint32_t number) {
  const lab::ClientAddress address(in_addr{.s_addr = htonl(0x0a000000 + number)});  // 10.0.0.0/8
  return lab::ClientId{lab::sip_hash(key, address.bytes())};
}
// [/walk]

const lab::RateLimit limit(10, 20);
constexpr lab::SipKey fixed{1, 2};  // so that the figures are the same in each run

// Of 100 requests, ten milliseconds apart: how many, by the function above and by the component?
void show_rate(const char* when, std::uint64_t begin) {
  unsigned here = 0;
  unsigned there = 0;
  std::uint64_t mine = begin;
  std::uint64_t its = begin;
  for (unsigned request = 0; request < 100; ++request) {
    const std::uint64_t now = begin + request * (second / 100);
    here += admit(mine, now) ? 1 : 0;
    there += limit.admit(its, now) ? 1 : 0;
  }
  std::printf("100 requests in a second, %s: %u let in, by the component %u\n", when, here, there);
}

// [walk million]
// Ten seconds: a million clients ask once, and a thousand others a hundred times a second.
void show_million(std::uint32_t entries) {
  lab::RateTable table(entries, limit, second);
  std::uint32_t quiet = 0;
  std::uint32_t loud = 0;
  for (std::uint32_t step = 0; step < 1000; ++step) {
    const std::uint64_t now = second + step * (second / 100);
    for (std::uint32_t one = 0; one < 1000; ++one) {
      quiet += table.admit(client(fixed, 1'000'000 + step * 1000 + one), now) ? 1 : 0;
      loud += table.admit(client(fixed, one), now) ? 1 : 0;
    }
  }
  std::printf("%7u entries, %4u KiB: %u of 1000000 quiet, %6u of 1000000 loud, %6llu forgotten\n",
              entries, entries / 64, quiet, loud,
              static_cast<unsigned long long>(table.forgotten()));
}
// [/walk]

// [walk aim]
// 64 addresses that a hash with this key puts into one bucket.
std::vector<std::uint32_t> aim(const lab::SipKey& key, const lab::RateTable& table) {
  std::vector<std::uint32_t> numbers;
  for (std::uint32_t number = 0; numbers.size() < 64; ++number) {
    if (table.bucket_of(client(key, number)) == 0) numbers.push_back(number);
  }
  return numbers;
}
// [/walk]

// They ask in turn, a hundred times each, at one moment.
void show_flood(const char* what, const lab::SipKey& guessed, const lab::SipKey& real) {
  lab::RateTable table(65'536, limit, second);
  const std::vector<std::uint32_t> numbers = aim(guessed, table);
  unsigned let_in = 0;
  for (unsigned round = 0; round < 100; ++round) {
    for (const std::uint32_t number : numbers) {
      let_in += table.admit(client(real, number), second) ? 1 : 0;
    }
  }
  std::printf("64 clients aimed at one bucket, %s: %u of 6400 let in, %llu forgotten\n", what,
              let_in, static_cast<unsigned long long>(table.forgotten()));
}

double nanoseconds_a_check(const lab::SipKey& key) {
  lab::RateTable table(65'536, limit, second);
  constexpr std::uint32_t checks = 200'000;
  std::uint32_t let_in = 0;
  const double begin = accepts::now_ns();
  for (std::uint32_t number = 0; number < checks; ++number) {
    let_in += table.admit(client(key, number % 50'000), second) ? 1 : 0;
  }
  const double each = (accepts::now_ns() - begin) / checks;
  if (let_in == 0) lab::fail("nobody was let in");
  return each;
}

}  // namespace

int main(int argc, char** argv) {
  const lab::Lesson lesson(argc, argv, "", 30);
  show_rate("after a pause", 5 * second);
  show_rate("as the clock wraps", 0 - second / 2);

  for (const std::uint32_t entries : {65'536U, 4'096U, 512U}) show_million(entries);

  // [walk key]
  const lab::SipKey key = lab::random_sip_key();  // another one in each process
  show_flood("with our key", key, key);
  show_flood("with a guess", lab::SipKey{}, key);
  // [/walk]

  // The least of some tries, in turn: what others did meanwhile counts for none of them.
  double check = 1e9;
  double multishot = 1e9;
  double one_shot = 1e9;
  for (unsigned round = 0; round < 5; ++round) {
    check = std::min(check, nanoseconds_a_check(key));
    multishot = std::min(multishot, accepts::accept_all(false));
    one_shot = std::min(one_shot, accepts::accept_all(true));
  }
  std::printf("# a check %.0f ns; an accept %.0f ns by multishot, %.0f ns with its address\n",
              check, multishot, one_shot);
  lab::effect(check < one_shot, "a check takes less than an accept",
              std::to_string(check) + " ns and " + std::to_string(one_shot) + " ns");
  return lab::ok();
}
