#include "06-server/lib/protocol/http/access_line.hpp"

#include <algorithm>
#include <chrono>

#include "06-server/lib/limits/address_text.hpp"
#include "06-server/lib/protocol/http/forwarded.hpp"
#include "06-server/lib/protocol/http/http_text.hpp"

namespace lab {

namespace {

// How many characters each part may take, escaped. With the address and what stands between them
// they fit into a line.
constexpr std::size_t method_most = 64;
constexpr std::size_t target_most = 2048;
constexpr std::size_t host_most = 256;
constexpr std::size_t referer_most = 768;
constexpr std::size_t agent_most = 384;

/// What a log wants of a head. It was judged before, or is here only to be shown.
struct Shown {
  std::string_view request_line;
  std::string_view host;
  std::string_view referer;
  std::string_view user_agent;
  std::array<std::string_view, 8> forwarded;  ///< the last lines: who is near wrote them
  std::size_t forwarded_count = 0;

  std::span<const std::string_view> forwarded_lines() const noexcept {
    return {forwarded.data(), forwarded_count};
  }
};

std::string_view take_line(std::string_view& text) noexcept {
  const std::size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

void look_at_field(std::string_view line, Shown& shown) noexcept {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const std::string_view name = line.substr(0, colon);
  const auto is = [&](std::string_view wanted) { return equals_ignoring_case(name, wanted); };
  const auto value = [&] { return trimmed(line.substr(colon + 1)); };
  if (is("host")) {
    shown.host = value();
  } else if (is("referer")) {
    shown.referer = value();
  } else if (is("user-agent")) {
    shown.user_agent = value();
  } else if (is("x-forwarded-for")) {
    auto& lines = shown.forwarded;
    if (shown.forwarded_count == lines.size()) {
      std::rotate(lines.begin(), lines.begin() + 1, lines.end());
      --shown.forwarded_count;
    }
    lines[shown.forwarded_count++] = value();
  }
}

Shown look_at(std::string_view head) noexcept {
  Shown shown;
  while (shown.request_line.empty() && !head.empty()) shown.request_line = take_line(head);
  while (!head.empty()) look_at_field(take_line(head), shown);
  return shown;
}

std::string_view or_dash(std::string_view text) noexcept { return text.empty() ? "-" : text; }

}  // namespace

std::string_view LogTime::at(std::int64_t now_s) noexcept {
  if (now_s == written_s_) return {text_.data(), size_};
  constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const std::chrono::sys_seconds time{std::chrono::seconds(now_s)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  const auto month = static_cast<unsigned>(date.month());
  LogText text(text_);
  const auto two = [&](auto number) {
    const auto value = static_cast<std::uint64_t>(number);
    if (value < 10) text.text("0");
    text.number(value);
  };
  const auto year = static_cast<std::uint64_t>(static_cast<int>(date.year()));
  if (format_ == LogFormat::json) {
    text.number(year).text("-");
    two(month);
    text.text("-");
    two(static_cast<unsigned>(date.day()));
    text.text("T");
  } else {
    two(static_cast<unsigned>(date.day()));
    text.text("/").text(months.substr(3 * (month - 1), 3)).text("/").number(year).text(":");
  }
  two(clock.hours().count());
  text.text(":");
  two(clock.minutes().count());
  text.text(":");
  two(clock.seconds().count());
  text.text(format_ == LogFormat::json ? "Z" : " +0000");
  size_ = text.size();
  written_s_ = now_s;
  return {text_.data(), size_};
}

void AccessLine::begin(LogFormat format, const ClientAddress& peer,
                       std::span<const NetworkPrefix> trusted, std::string_view head) noexcept {
  format_ = format;
  const Shown shown = look_at(head);
  std::array<char, address_text_max> address;
  const std::size_t address_size =
      write_address(address, forwarded_client(peer, trusted, shown.forwarded_lines()));
  const std::string_view client(address.data(), address_size);
  const std::string_view line = shown.request_line;
  LogText text(text_);
  const auto put = [&](std::string_view raw, std::size_t most) -> LogText& {
    return text.escaped(raw, format, most);
  };

  if (format != LogFormat::json) {
    text.text(client).text(" - - [");
    request_at_ = static_cast<std::uint16_t>(text.size());
    text.text("] \"");
    put(or_dash(line), method_most + target_most).text("\" ");
    tail_at_ = static_cast<std::uint16_t>(text.size());
    if (format == LogFormat::combined) {
      text.text(" \"");
      put(or_dash(shown.referer), referer_most).text("\" \"");
      put(or_dash(shown.user_agent), agent_most).text("\"");
    }
    text.text("\n");
  } else {
    const std::size_t target_at = std::min(line.find(' '), line.size());
    const std::size_t version_at = std::min(line.rfind(" HTTP/"), line.size());
    text.text("{\"time\":\"");
    request_at_ = static_cast<std::uint16_t>(text.size());
    text.text("\",\"client\":\"").text(client).text("\",\"method\":\"");
    put(line.substr(0, target_at), method_most).text("\",\"target\":\"");
    put(trimmed(line.substr(0, version_at).substr(target_at)), target_most);
    text.text("\",\"protocol\":\"");
    put(trimmed(line.substr(version_at)), method_most).text("\"");
    tail_at_ = static_cast<std::uint16_t>(text.size());
    text.text(",\"host\":\"");
    put(shown.host, host_most).text("\",\"referer\":\"");
    put(shown.referer, referer_most).text("\",\"user_agent\":\"");
    put(shown.user_agent, agent_most).text("\"}\n");
  }
  size_ = static_cast<std::uint16_t>(text.size());
}

std::size_t AccessLine::write(std::span<char> space, std::string_view time,
                              const AnswerEnd& end) const noexcept {
  const std::string_view all(text_.data(), size_);
  LogText text(space);
  text.text(all.substr(0, request_at_)).text(time);
  text.text(all.substr(request_at_, tail_at_ - request_at_));
  const auto status = static_cast<std::uint64_t>(end.status);
  if (format_ != LogFormat::json) {
    text.number(status).text(" ").number(end.body_bytes);
  } else {
    text.text(",\"status\":").number(status).text(",\"bytes\":").number(end.body_bytes);
    text.text(",\"duration_us\":").number(end.duration_ns / 1000);
    text.text(",\"cut\":").text(end.cut ? "true" : "false");
  }
  return text.text(all.substr(tail_at_)).size();
}

}  // namespace lab
