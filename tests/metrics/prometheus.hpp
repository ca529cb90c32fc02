// A strict reader of Prometheus' text format 0.0.4, for what the server writes: every line is one
// of the three kinds, every sample belongs to the family before it, and none stands twice.
#pragma once

#include <cstdlib>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace lab {

class Prometheus {
 public:
  /// Throws std::invalid_argument where a scraper would stumble.
  explicit Prometheus(std::string_view text) {
    if (text.empty() || text.back() != '\n') fail("no line end at the end", text);
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      read_line(text.substr(0, end));
      text.remove_prefix(end + 1);
    }
    end_family();
  }

  /// The sample of this name with its labels: `lab_x_total{worker="0"}`. Throws std::out_of_range.
  double operator[](const std::string& series) const { return samples_.at(series); }
  bool has(const std::string& series) const { return samples_.contains(series); }
  const std::map<std::string, double>& samples() const { return samples_; }
  const std::map<std::string, std::string>& types() const { return types_; }

 private:
  void read_line(std::string_view line) {
    if (line.starts_with("# HELP ")) {
      end_family();
      family_ = word(line.substr(7));
      const std::string_view help = line.substr(7 + family_.size());
      if (help.size() < 2 || help.find('\\') != std::string_view::npos) fail("no help", line);
      helped_ = true;
    } else if (line.starts_with("# TYPE ")) {
      if (!helped_ || word(line.substr(7)) != family_) fail("TYPE without its HELP", line);
      const std::string type(line.substr(7 + family_.size() + 1));
      if (type != "counter" && type != "gauge" && type != "histogram") fail("an odd type", line);
      if (!types_.emplace(family_, type).second) fail("a family in two places", line);
      if ((type == "counter") != family_.ends_with("_total")) fail("a counter's name", line);
      helped_ = false;
    } else {
      read_sample(line);
    }
  }

  void read_sample(std::string_view line) {
    const std::string name = word(line);
    const std::string& type = types_.contains(family_) ? types_.at(family_) : std::string();
    if (type.empty() || helped_) fail("a sample without its family", line);
    const std::string_view ending = std::string_view(name).substr(0, family_.size()) == family_
                                        ? std::string_view(name).substr(family_.size())
                                        : std::string_view("?");
    const bool of_histogram = ending == "_bucket" || ending == "_sum" || ending == "_count";
    if (type == "histogram" ? !of_histogram : !ending.empty()) fail("another family's name", line);
    std::string_view rest = line.substr(name.size());
    std::string labels;
    std::string bound;
    if (rest.starts_with('{')) labels = read_labels(rest, bound);
    if ((ending == "_bucket") != !bound.empty()) fail("le is a bucket's", line);
    const std::size_t blank = rest.find(' ');
    if (blank != 0 || rest.size() < 2) fail("no value", line);
    const std::string number(rest.substr(1));
    if (number.find_first_not_of("0123456789.") != std::string::npos) fail("no number", line);
    const double value = std::strtod(number.c_str(), nullptr);
    const std::size_t read = line.size() - rest.size();
    if (!samples_.emplace(line.substr(0, read), value).second) fail("a series twice", line);
    if (ending == "_bucket") add_bucket(labels, bound, value, line);
    if (ending == "_count") counts_[labels] = value;
  }

  // `{a="1",b="2"}`, off the rest. Returns them without le.
  std::string read_labels(std::string_view& rest, std::string& bound) {
    std::string others;
    std::set<std::string> names;
    rest.remove_prefix(1);
    for (;;) {
      const std::string name = word(rest);
      rest.remove_prefix(name.size());
      if (name.empty() || !rest.starts_with("=\"")) fail("a label", rest);
      if (!names.insert(name).second) fail("a label twice", rest);
      rest.remove_prefix(2);
      const std::size_t end = rest.find_first_of("\"\\");
      if (end == std::string_view::npos || rest[end] != '"') fail("a label's value", rest);
      const std::string value(rest.substr(0, end));
      rest.remove_prefix(end + 1);
      if (name == "le") {
        bound = value;
      } else {
        others += name + "=" + value + ";";
      }
      if (rest.starts_with('}')) break;
      if (!rest.starts_with(',')) fail("neither , nor }", rest);
      rest.remove_prefix(1);
    }
    rest.remove_prefix(1);
    return others;
  }

  void add_bucket(const std::string& labels, const std::string& bound, double value,
                  std::string_view line) {
    const double limit = bound == "+Inf" ? unbounded : std::strtod(bound.c_str(), nullptr);
    const auto [last, first] = buckets_.try_emplace(labels, limit, value);
    if (first) return;
    if (limit <= last->second.first || value < last->second.second) fail("buckets go up", line);
    last->second = {limit, value};
  }

  void end_family() {
    if (helped_) fail("a family without a type", family_);
    if (buckets_.size() != counts_.size()) fail("a histogram without its count", family_);
    for (const auto& [labels, last] : buckets_) {
      if (last.first != unbounded || last.second != counts_.at(labels)) fail("+Inf", family_);
    }
    buckets_.clear();
    counts_.clear();
  }

  static std::string word(std::string_view text) {
    constexpr std::string_view characters =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:";
    const std::size_t end = text.find_first_not_of(characters);
    const std::string result(text.substr(0, end));
    if (result.empty()) fail("no name", text);
    return result;
  }
  [[noreturn]] static void fail(std::string_view what, std::string_view line) {
    throw std::invalid_argument(std::string(what) + ": " + std::string(line));
  }

  static constexpr double unbounded = 1e300;

  std::map<std::string, double> samples_;
  std::map<std::string, std::string> types_;
  std::string family_;
  bool helped_ = false;  ///< its HELP has come, and its TYPE has not
  std::map<std::string, std::pair<double, double>> buckets_;  ///< the last bound and count
  std::map<std::string, double> counts_;
};

}  // namespace lab
