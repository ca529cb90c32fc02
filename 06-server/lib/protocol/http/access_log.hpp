// The access log of a worker: a line for each answer that was begun, when it is over.
//
// Lifetime: made before the loop; outlives the connections. All of its memory is there from the
// start: lines of answers under way, and those that wait to be written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "06-server/lib/limits/address_rules.hpp"
#include "06-server/lib/limits/client_address.hpp"
#include "06-server/lib/protocol/http/access_line.hpp"
#include "06-server/lib/protocol/line_buffer.hpp"

namespace lab {

/// What --access-log and its flags ask for.
struct AccessLogOptions {
  LogFormat format = LogFormat::combined;           ///< of every line
  std::vector<NetworkPrefix> trusted;               ///< proxies whose X-Forwarded-For is believed
  std::size_t buffer_bytes = std::size_t{1} << 20;  ///< for lines that wait to be written
  /// Answers at once that take more than a turn; pages that none needed cost no memory.
  std::uint32_t under_way_max = 4096;
};

/// A line for each answer, as it ends. Takes no memory after its constructor.
class AccessLog {
 public:
  /// @param losses where lines are counted that were lost
  AccessLog(const AccessLogOptions& options, std::span<Counter, line_losses> losses)
      : format_(options.format),
        trusted_(options.trusted),
        lines_(options.buffer_bytes, losses),
        time_(options.format),
        places_(std::make_unique_for_overwrite<AccessLine[]>(options.under_way_max)) {
    for (std::uint32_t place = options.under_way_max; place > 0; --place)
      free_.push_back(&places_[place - 1]);
  }
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  /// An answer begins. @param head of its request, as far as it has come
  /// @return what end() needs; null: too many are under way, and this one's line is lost
  AccessLine* begin(const ClientAddress& peer, std::string_view head) noexcept {
    if (free_.empty()) {
      lines_.lost(LineLoss::slow, 1);
      return nullptr;
    }
    AccessLine* const line = free_.back();  // the latest is warm
    free_.pop_back();
    line->begin(format_, peer, trusted_, head);
    return line;
  }
  /// It is over. @param line of begin(), for the last time; null: nothing
  void end(AccessLine* line, const AnswerEnd& how, std::int64_t now_s) noexcept {
    if (line == nullptr) return;
    if (const std::span<char> space = lines_.space(AccessLine::bytes_max); !space.empty())
      lines_.wrote(line->write(space, time_.at(now_s), how));
    free_.push_back(line);  // there was room for it at the start
  }

  /// Where the lines wait for who writes them.
  LineBuffer& lines() noexcept { return lines_; }

 private:
  const LogFormat format_;
  const std::vector<NetworkPrefix> trusted_;
  LineBuffer lines_;
  LogTime time_;
  std::unique_ptr<AccessLine[]> places_;
  std::vector<AccessLine*> free_;
};

}  // namespace lab
