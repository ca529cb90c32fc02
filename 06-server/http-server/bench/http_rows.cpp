#include "06-server/http-server/bench/http_rows.hpp"

#include <fmt/format.h>

#include <fstream>
#include <random>
#include <stdexcept>
#include <string_view>

#include "05-performance/bench/program.hpp"

namespace lab {

namespace {

constexpr std::size_t operator""_KiB(unsigned long long value) { return value << 10; }

constexpr unsigned text_files = 20;
constexpr double dear_ns = 1000;
constexpr double cheap_ns = 300;

std::string text_name(unsigned number) { return fmt::format("/text-{:02}.html", number); }

// 3 to 300 KiB, each larger than the one before.
std::size_t text_size(unsigned number) {
  return 3_KiB + (300_KiB - 3_KiB) * number * number / ((text_files - 1) * (text_files - 1));
}

void write_file(const std::filesystem::path& path, std::string_view content) {
  std::ofstream file(path, std::ios::binary);
  file << content << std::flush;
  if (!file) throw std::runtime_error(fmt::format("{} cannot be written", path.string()));
}

std::string noise(std::size_t size, std::mt19937& random) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

// Words, so that it shrinks as a page does.
std::string words(std::size_t size, std::mt19937& random) {
  std::string text = "<!doctype html><title>words</title><p>";
  while (text.size() < size) {
    std::string word;
    std::mt19937 spelling(random() % 3000);  // a vocabulary of 3000
    for (unsigned left = 2 + spelling() % 8; left > 0; --left) {
      word += static_cast<char>('a' + spelling() % 26);
    }
    text += word + (random() % 12 == 0 ? ".</p>\n<p>" : " ");
  }
  text.resize(size);
  return text;
}

HttpRow keep_alive(std::string name, std::string text, std::string path, unsigned connections) {
  return {.name = std::move(name),
          .text = std::move(text),
          .paths = {std::move(path)},
          .options = {"--connections", fmt::format("{}", connections)}};
}

}  // namespace

std::vector<HttpRow> http_rows(double system_call_ns) {
  HttpTarget small;
  if (system_call_ns < cheap_ns) small = {.rate_min = 1.8, .cpu_max = 0.55};
  if (system_call_ns > dear_ns) small = {.rate_min = 2.3, .cpu_max = 0.43};
  std::vector<HttpRow> rows;
  for (const unsigned connections : {64U, 512U}) {
    HttpRow& row = rows.emplace_back(keep_alive(fmt::format("1KiB-{}", connections),
                                                fmt::format("{} x 1 KiB", connections), "/1k.html",
                                                connections));
    row.echo_size = 1_KiB;
    row.target = small;
  }
  HttpRow& pipelined =
      rows.emplace_back(keep_alive("1KiB-64x16", "64 x 1 KiB, 16 pipelined", "/1k.html", 64));
  pipelined.options.insert(pipelined.options.end(), {"--depth", "16"});
  pipelined.target.rate_min = 6;
  rows.push_back(keep_alive("64KiB-64", "64 x 64 KiB", "/64k.bin", 64));
  rows.back().target = {.rate_min = 1.2, .cpu_max = 0.8};
  rows.push_back(keep_alive("1MiB-16", "16 x 1 MiB", "/1m.bin", 16));
  rows.back().target = {.rate_min = 1.2, .cpu_max = 0.8};
  HttpRow& site = rows.emplace_back(
      keep_alive("text-64", "64 x 20 files of 3 to 300 KiB, br or gzip", text_name(0), 64));
  for (unsigned number = 1; number < text_files; ++number) site.paths.push_back(text_name(number));
  site.headers = {"Accept-Encoding: br, gzip"};
  site.target.rate_min = 1.3;
  HttpRow churn = keep_alive("churn-64", "a connection per request, 64 at a time", "/1k.html", 64);
  churn.options.insert(churn.options.end(), {"--churn", "--linger-reset"});
  churn.spin = false;
  churn.target.rate_min = 1.2;
  rows.push_back(churn);
  // With a core of its own the client has no time left, whoever serves it.
  churn.name = "churn-64-one-core";
  churn.text += ", client and server on one core";
  churn.one_core = true;
  rows.push_back(churn);
  return rows;
}

void make_http_site(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  std::mt19937 random(1);
  write_file(folder / "1k.html", words(1_KiB, random));
  write_file(folder / "64k.bin", noise(64_KiB, random));
  write_file(folder / "1m.bin", noise(1024_KiB, random));
  for (unsigned number = 0; number < text_files; ++number) {
    const std::filesystem::path path = folder / text_name(number).substr(1);
    write_file(path, words(text_size(number), random));
    for (const char* program : {"/usr/bin/gzip", "/usr/bin/brotli"}) {
      if (std::filesystem::exists(program)) run_program(program, {"-9", "-k", "-f", path.string()});
    }
  }
}

}  // namespace lab
