#include "06-server/lib/protocol/metrics/metrics_text.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <string_view>

namespace lab {

namespace {

using Kind = CounterInfo::Kind;

constexpr std::string_view nanoseconds_ending = "_ns";

void append_number(std::string& text, std::uint64_t number) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  text.append(digits, end);
}

void append_seconds(std::string& text, std::uint64_t nanoseconds) {
  append_number(text, nanoseconds / 1'000'000'000U);
  char fraction[] = ".000000000";
  std::uint64_t rest = nanoseconds % 1'000'000'000U;
  for (char* digit = fraction + 9; rest > 0; --digit, rest /= 10) {
    *digit = static_cast<char>('0' + rest % 10);
  }
  text += fraction;
}

// A family's name without its prefix, and what follows by its kind.
struct Name {
  std::string_view base;
  std::string_view ending;
  std::string_view type;
};

Name name_of(const CounterInfo& info) noexcept {
  switch (info.kind) {
    case Kind::count:
      break;
    case Kind::nanoseconds:
      return {info.name.substr(0, info.name.size() - nanoseconds_ending.size()), "_seconds_total",
              "counter"};
    case Kind::gauge:
      return {info.name, "", "gauge"};
    case Kind::duration_bucket:
    case Kind::duration_sum:
      return {info.name, "", "histogram"};
  }
  return {info.name, "_total", "counter"};
}

// One of the two families that a name makes: of the server, or of each worker.
class Family {
 public:
  Family(std::string& text, const Name& name, std::string_view help, bool by_worker)
      : text_(text), name_(name), by_worker_(by_worker) {
    for (const std::string_view line : {"# HELP ", "# TYPE "}) {
      text_ += line;
      append_name(name_.ending);
      text_ += ' ';
      text_ += line == "# HELP " ? help : name_.type;
      if (line == "# HELP " && by_worker_) text_ += ", by worker";
      text_ += '\n';
    }
  }

  /// The beginning of a line, up to its value.
  void append_series(std::size_t worker, std::string_view label, std::string_view value,
                     std::string_view ending) {
    append_name(ending);
    if (by_worker_ || !label.empty()) text_ += '{';
    if (by_worker_) {
      text_ += "worker=\"";
      append_number(text_, worker);
      text_ += '"';
      if (!label.empty()) text_ += ',';
    }
    if (!label.empty()) {
      text_ += label;
      text_ += "=\"";
      text_ += value;
      text_ += '"';
    }
    if (by_worker_ || !label.empty()) text_ += '}';
    text_ += ' ';
  }

 private:
  void append_name(std::string_view ending) {
    text_ += by_worker_ ? "lab_worker_" : "lab_";
    text_ += name_.base;
    text_ += ending;
  }

  std::string& text_;
  Name name_;
  bool by_worker_;
};

class MetricsWriter {
 public:
  MetricsWriter(std::string& text, const MetricsReading& reading, bool by_worker)
      : text_(text), reading_(reading), by_worker_(by_worker) {}

  void write(std::size_t first, std::size_t end) {
    const CounterInfo& info = reading_.infos[first];
    const Name name = name_of(info);
    Family family(text_, name, info.help, by_worker_);
    for (std::size_t worker = 0; worker < units(); ++worker) {
      std::uint64_t durations = 0;
      for (std::size_t index = first; index < end; ++index) {
        const std::uint64_t number = value(worker, index);
        write_one(family, name, worker, reading_.infos[index], number, durations);
      }
    }
  }

  void write_connections() {
    const Name name{"connections", "", "gauge"};
    Family family(text_, name, "Connections that are open", by_worker_);
    for (std::size_t worker = 0; worker < units(); ++worker) {
      const std::uint64_t accepted = value(worker, static_cast<std::size_t>(Stat::accepted));
      const std::uint64_t closed = value(worker, static_cast<std::size_t>(Stat::closed));
      family.append_series(worker, {}, {}, name.ending);
      append_number(text_, accepted - std::min(accepted, closed));
      text_ += '\n';
    }
  }

 private:
  std::size_t units() const noexcept { return by_worker_ ? reading_.workers() : 1; }
  std::uint64_t value(std::size_t worker, std::size_t index) const noexcept {
    if (by_worker_) return reading_.of(worker, index);
    std::uint64_t sum = 0;
    for (std::size_t each = 0; each < reading_.workers(); ++each) sum += reading_.of(each, index);
    return sum;
  }

  /// @param durations those of the buckets so far: each bucket has those before it, too
  void write_one(Family& family, const Name& name, std::size_t worker, const CounterInfo& info,
                 std::uint64_t number, std::uint64_t& durations) {
    switch (info.kind) {
      case Kind::count:
      case Kind::gauge:
        family.append_series(worker, info.label, info.value, name.ending);
        append_number(text_, number);
        break;
      case Kind::nanoseconds:
        family.append_series(worker, info.label, info.value, name.ending);
        append_seconds(text_, number);
        break;
      case Kind::duration_bucket:
        durations += number;
        family.append_series(worker, info.label, info.value, "_bucket");
        append_number(text_, durations);
        break;
      case Kind::duration_sum:
        family.append_series(worker, {}, {}, "_sum");
        append_seconds(text_, number);
        text_ += '\n';
        family.append_series(worker, {}, {}, "_count");
        append_number(text_, durations);
        break;
    }
    text_ += '\n';
  }

  std::string& text_;
  const MetricsReading& reading_;
  bool by_worker_;
};

}  // namespace

void append_metrics(std::string& text, const MetricsReading& reading) {
  MetricsWriter of_server(text, reading, false);
  MetricsWriter by_worker(text, reading, true);
  of_server.write_connections();
  by_worker.write_connections();
  for (std::size_t first = 0; first < reading.infos.size();) {
    std::size_t end = first + 1;
    while (end < reading.infos.size() && reading.infos[end].name == reading.infos[first].name) {
      ++end;
    }
    of_server.write(first, end);
    by_worker.write(first, end);
    first = end;
  }
}

}  // namespace lab
