#include "06-server/http-server/bench/http_memory.hpp"

#include <fmt/format.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <random>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "05-performance/bench/json_field.hpp"
#include "05-performance/bench/memory.hpp"
#include "05-performance/ringload/processor_time.hpp"

namespace lab {

namespace {

using namespace std::chrono_literals;

constexpr unsigned site_files = 100;
constexpr std::size_t site_file_size = 1'000'000;  // below --memory-limit-file

std::string url(const Server& server, std::string_view path) {
  return fmt::format("http://127.0.0.1:{}{}", server.port(), path);
}

std::string file_name(unsigned number) { return fmt::format("/{:02}.bin", number); }

void make_large_site(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  std::mt19937 random(1);
  std::string content(site_file_size, '\0');
  for (unsigned number = 0; number < site_files; ++number) {
    for (char& byte : content) byte = static_cast<char>(random());
    const std::string path = folder.string() + file_name(number);
    std::ofstream file(path, std::ios::binary);
    file << content << std::flush;
    if (!file) throw std::runtime_error(fmt::format("{} cannot be written", path));
  }
}

// A field of /proc/PID/FILE, which is in KiB, over all processes.
std::uint64_t sum_bytes(pid_t root, std::string_view file_name, std::string_view field) {
  std::uint64_t sum = 0;
  for (const pid_t pid : process_tree(root)) {
    std::ifstream file(fmt::format("/proc/{}/{}", pid, file_name));
    for (std::string word; file >> word;) {
      if (std::uint64_t kib = 0; word == field && file >> kib) sum += kib * 1024;
    }
  }
  return sum;
}

std::uint64_t entries(const std::string& folder) {
  return static_cast<std::uint64_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

Holdings holdings(const Server& server) {
  Holdings held;
  for (const pid_t pid : process_tree(server.pid())) {
    held.descriptors += entries(fmt::format("/proc/{}/fd", pid));
    held.threads += entries(fmt::format("/proc/{}/task", pid));
  }
  const std::string stats = server.all_stats();
  const std::size_t last = stats.find_last_of('\n', stats.size() - 2);
  const std::string line = last == std::string::npos ? stats : stats.substr(last + 1);
  held.connections = static_cast<std::uint64_t>(json_number(line, "connections").value_or(0));
  held.resident_bytes = resident_bytes(server.pid());
  return held;
}

void churn(const Server& server, const std::filesystem::path& ringload, std::uint64_t connections) {
  run_program(ringload,
              {url(server, "/1k.html"), "--churn", "--linger-reset", "--connections", "64",
               "--count", fmt::format("{}", connections), "--warmup", "0", "--quiet", "--json"});
}

// The last resets have to be seen, and the statistics to be written once more.
Holdings holdings_at_rest(const Server& server) {
  Holdings held;
  for (int tries = 0; tries < 100; ++tries) {
    std::this_thread::sleep_for(200ms);
    held = holdings(server);
    if (held.connections == 0) break;
  }
  return held;
}

double mib(std::uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

}  // namespace

std::string idle_memory(const std::string& name, const Server& server,
                        const std::filesystem::path& ringload) {
  constexpr unsigned connections = 10'000;
  const std::string question = "GET /1k.html HTTP/1.1\r\nHost: localhost\r\n\r\n";
  // The same file has the same answer each time; how long it is, one question tells.
  const std::string json =
      run_program(ringload, {url(server, "/1k.html"), "--json", "--quiet", "--connections", "1",
                             "--count", "1", "--warmup", "0"});
  const auto answer = static_cast<std::size_t>(json_number(json, "size").value_or(0));
  return to_text(measure_memory(name, server, connections, question, answer));
}

std::string site_memory(Server::Options how, const std::filesystem::path& directory,
                        const std::filesystem::path& ringload) {
  const std::filesystem::path site = directory / "site-of-100-MB";
  make_large_site(site);
  std::string text;
  for (const unsigned workers : {1U, 2U}) {
    how.arguments = {site.string(), "--port", "0", "--workers", fmt::format("{}", workers)};
    const Server server(how);
    std::vector<std::string> words{url(server, file_name(0))};
    for (unsigned number = 1; number < site_files; ++number)
      words.insert(words.end(), {"--path", file_name(number)});
    for (const char* word : {"--connections", "16", "--count", "4800", "--warmup", "0", "--json"})
      words.emplace_back(word);
    run_program(ringload, words);
    // Proportional (PSS): a page that two processes map counts half for each, so the sum has it
    // once. The site is in shared memory, and what each worker has of its own is not.
    text += fmt::format(
        "a site of 100 MB, {} worker{}: {:.1f} MiB of shared memory are mapped, and {:.1f} MiB are "
        "there; with all that is not shared {:.1f} MiB\n",
        workers, workers == 1 ? "" : "s", mib(sum_bytes(server.pid(), "status", "RssShmem:")),
        mib(sum_bytes(server.pid(), "smaps_rollup", "Pss_Shmem:")),
        mib(sum_bytes(server.pid(), "smaps_rollup", "Pss:")));
  }
  return text;
}

bool ChurnGrowth::grew() const noexcept {
  return after.descriptors > before.descriptors || after.connections > 0 ||
         after.resident_bytes > before.resident_bytes + memory_growth_max;
}

ChurnGrowth churn_growth(Server::Options how, const std::filesystem::path& site,
                         const std::filesystem::path& ringload, std::uint64_t connections) {
  how.stats = how.log.parent_path() / "churn.json";
  how.arguments = {
      site.string(),         "--port", "0", "--workers", "1", "--stats-json", how.stats.string(),
      "--stats-interval-ms", "100"};
  const Server server(how);
  churn(server, ringload, 1000);
  ChurnGrowth growth{.connections = connections, .before = holdings_at_rest(server), .after = {}};
  churn(server, ringload, connections);
  growth.after = holdings_at_rest(server);
  return growth;
}

std::string to_text(const ChurnGrowth& growth) {
  std::string text = fmt::format("{} connections, one request each\n", growth.connections);
  for (const auto& [name, held] : {std::pair("before", growth.before), {"after", growth.after}}) {
    text += fmt::format("  {:<8} {} descriptors, {} threads, {} slots in use, {:.2f} MiB\n", name,
                        held.descriptors, held.threads, held.connections, mib(held.resident_bytes));
  }
  return text + (growth.grew() ? "  it GREW\n" : "  no growth\n");
}

}  // namespace lab
