#include "06-server/lib/protocol/http/http_date.hpp"

#include <chrono>
#include <cstddef>

#include "06-server/lib/protocol/http/http_text.hpp"

namespace lab {
namespace {

constexpr std::string_view day_names = "SunMonTueWedThuFriSat";
constexpr std::string_view month_names = "JanFebMarAprMayJunJulAugSepOctNovDec";
constexpr std::array<std::string_view, 7> long_day_names = {
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

/// Reads a text from its front. Each step that does not fit spoils the whole.
class Reader {
 public:
  explicit Reader(std::string_view text) noexcept : text_(text) {}

  void literal(std::string_view expected) noexcept {
    good_ = good_ && text_.starts_with(expected);
    if (good_) text_.remove_prefix(expected.size());
  }
  bool accepts(std::string_view expected) noexcept {
    if (!good_ || !text_.starts_with(expected)) return false;
    text_.remove_prefix(expected.size());
    return true;
  }
  /// @return exactly so many digits as a number
  int digits(std::size_t count) noexcept {
    int number = 0;
    for (std::size_t i = 0; i < count && good_; ++i) {
      good_ = i < text_.size() && is_digit(text_[i]);
      if (good_) number = number * 10 + (text_[i] - '0');
    }
    if (good_) text_.remove_prefix(count);
    return number;
  }
  /// @return which of the names of three letters, from 0
  int name(std::string_view names) noexcept {
    for (std::size_t i = 0; i < names.size(); i += 3)
      if (accepts(names.substr(i, 3))) return static_cast<int>(i / 3);
    good_ = false;
    return 0;
  }
  /// @return asctime's day: two digits, or a space and one
  int padded_day() noexcept { return accepts(" ") ? digits(1) : digits(2); }
  void fail() noexcept { good_ = false; }
  bool complete() const noexcept { return good_ && text_.empty(); }

 private:
  std::string_view text_;
  bool good_ = true;
};

struct Date {
  int year = 0;
  int month = 0;  ///< from 0
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
};

void read_time(Reader& reader, Date& date) noexcept {
  date.hour = reader.digits(2);
  reader.literal(":");
  date.minute = reader.digits(2);
  reader.literal(":");
  date.second = reader.digits(2);
}

std::optional<std::int64_t> seconds_of(const Date& date) noexcept {
  const std::chrono::year_month_day day{std::chrono::year(date.year),
                                        std::chrono::month(static_cast<unsigned>(date.month) + 1),
                                        std::chrono::day(static_cast<unsigned>(date.day))};
  // A leap second is a legal date (second 60); it counts as the first of the next minute.
  if (!day.ok() || date.hour > 23 || date.minute > 59 || date.second > 60) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days(day).time_since_epoch().count();
  return ((days * 24 + date.hour) * 60 + date.minute) * 60 + date.second;
}

// Sun, 06 Nov 1994 08:49:37 GMT
std::optional<std::int64_t> parse_fixed(std::string_view text) noexcept {
  Reader reader(text);
  Date date;
  reader.name(day_names);
  reader.literal(", ");
  date.day = reader.digits(2);
  reader.literal(" ");
  date.month = reader.name(month_names);
  reader.literal(" ");
  date.year = reader.digits(4);
  reader.literal(" ");
  read_time(reader, date);
  reader.literal(" GMT");
  return reader.complete() ? seconds_of(date) : std::nullopt;
}

// Sunday, 06-Nov-94 08:49:37 GMT
std::optional<std::int64_t> parse_rfc850(std::string_view text, std::int64_t now_s) noexcept {
  Reader reader(text);
  Date date;
  bool named = false;
  for (const std::string_view name : long_day_names) named = named || reader.accepts(name);
  if (!named) reader.fail();
  reader.literal(", ");
  date.day = reader.digits(2);
  reader.literal("-");
  date.month = reader.name(month_names);
  reader.literal("-");
  const int short_year = reader.digits(2);
  reader.literal(" ");
  read_time(reader, date);
  reader.literal(" GMT");
  if (!reader.complete()) return std::nullopt;

  const std::chrono::sys_days today =
      std::chrono::floor<std::chrono::days>(std::chrono::sys_seconds(std::chrono::seconds(now_s)));
  const int this_year = static_cast<int>(std::chrono::year_month_day(today).year());
  date.year = this_year - this_year % 100 + short_year;
  if (date.year > this_year + 50) date.year -= 100;
  return seconds_of(date);
}

// Sun Nov  6 08:49:37 1994
std::optional<std::int64_t> parse_asctime(std::string_view text) noexcept {
  Reader reader(text);
  Date date;
  reader.name(day_names);
  reader.literal(" ");
  date.month = reader.name(month_names);
  reader.literal(" ");
  date.day = reader.padded_day();
  reader.literal(" ");
  read_time(reader, date);
  reader.literal(" ");
  date.year = reader.digits(4);
  return reader.complete() ? seconds_of(date) : std::nullopt;
}

void put_digits(char* text, std::size_t count, unsigned number) noexcept {
  for (; count > 0; --count, number /= 10) text[count - 1] = static_cast<char>('0' + number % 10);
}

}  // namespace

void write_http_date(std::span<char, http_date_size> text, std::int64_t seconds) noexcept {
  const std::chrono::sys_seconds time{std::chrono::seconds(seconds)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  const std::size_t weekday = std::chrono::weekday(day).c_encoding();
  const std::size_t month = static_cast<unsigned>(date.month()) - 1;

  constexpr std::string_view pattern = "Sun, 06 Nov 1994 08:49:37 GMT";
  static_assert(pattern.size() == http_date_size);
  pattern.copy(text.data(), pattern.size());
  day_names.substr(weekday * 3, 3).copy(&text[0], 3);
  put_digits(&text[5], 2, static_cast<unsigned>(date.day()));
  month_names.substr(month * 3, 3).copy(&text[8], 3);
  put_digits(&text[12], 4, static_cast<unsigned>(static_cast<int>(date.year())));
  put_digits(&text[17], 2, static_cast<unsigned>(clock.hours().count()));
  put_digits(&text[20], 2, static_cast<unsigned>(clock.minutes().count()));
  put_digits(&text[23], 2, static_cast<unsigned>(clock.seconds().count()));
}

std::optional<std::int64_t> parse_http_date(std::string_view text, std::int64_t now_s) noexcept {
  if (text.size() > 3 && text[3] == ',') return parse_fixed(text);
  if (text.size() > 3 && text[3] == ' ') return parse_asctime(text);
  return parse_rfc850(text, now_s);
}

}  // namespace lab
