#include "tests/site/site_fixture.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>

#include "01-core/lib/check.hpp"
#include "02-files/lib/fd.hpp"
#include "06-server/lib/site/compression.hpp"
#include "06-server/lib/site/site_builder.hpp"
#include "06-server/lib/site/site_error.hpp"

namespace lab {

Folder::Folder() {
  path_ = std::filesystem::canonical(testing::TempDir()).string() + "/site-XXXXXX";
  if (mkdtemp(path_.data()) == nullptr) check_errno(-1, "mkdtemp");
}

Folder::~Folder() { std::filesystem::remove_all(path_); }

void Folder::write(std::string_view name, std::string_view content) const {
  const std::filesystem::path whole = path(name);
  std::filesystem::create_directories(whole.parent_path());
  std::ofstream file(whole, std::ios::binary);
  file << content;
  file.close();
  if (!file) throw std::runtime_error("cannot write " + whole.string());
}

void Folder::link(std::string_view name, std::string_view target) const {
  const std::filesystem::path whole = path(name);
  std::filesystem::create_directories(whole.parent_path());
  std::filesystem::create_symlink(target, whole);
}

void Folder::make_directory(std::string_view name) const {
  std::filesystem::create_directories(path(name));
}

void Folder::remove(std::string_view name) const { std::filesystem::remove_all(path(name)); }

void Folder::rename(std::string_view from, std::string_view to) const {
  std::filesystem::rename(path(from), path(to));
}

void Folder::set_time(std::string_view name, std::int64_t seconds) const {
  const timespec times[2] = {{.tv_sec = seconds, .tv_nsec = 0}, {.tv_sec = seconds, .tv_nsec = 0}};
  check_errno(utimensat(AT_FDCWD, path(name).c_str(), times, 0), "utimensat");
}

void Folder::make_sparse(std::string_view name, std::uint64_t size) const {
  const Fd file(
      check_errno(open(path(name).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644), "open"));
  check_errno(ftruncate(file.get(), static_cast<off_t>(size)), "ftruncate");
}

std::string prose(std::size_t size) {
  std::string text;
  for (unsigned line = 0; text.size() < size; ++line) {
    text += "line " + std::to_string(line) + ": the same words as everywhere, and a number\n";
  }
  text.resize(size);
  return text;
}

std::string noise(std::size_t size) {
  std::mt19937 random(7);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

std::string packed(Coding coding, std::string_view plain) {
  return text_of(
      compressed(coding, std::as_bytes(std::span(plain)), Effort::fast, plain.size() + 1000));
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

unsigned lines_named(std::string_view lines, std::string_view name) {
  unsigned count = 0;
  while (!lines.empty()) {
    const std::size_t end = lines.find("\r\n");
    if (lines.substr(0, end).starts_with(std::string(name) + ": ")) ++count;
    if (end == std::string_view::npos) break;
    lines.remove_prefix(end + 2);
  }
  return count;
}

Generation& SiteTest::load() {
  notes_.clear();
  const SiteReporter reporter{
      .note =
          [](void* context, std::string_view text) {
            static_cast<std::vector<std::string>*>(context)->emplace_back(text);
          },
      .context = &notes_};
  SiteFiles files = build_site(options_, reporter, site_.get());
  site_ = std::make_unique<Generation>(std::move(files));
  return *site_;
}

std::string SiteTest::refusal() {
  try {
    load();
  } catch (const SiteError& error) {
    return error.what();
  }
  return "(none)";
}

bool SiteTest::has_note(std::string_view part) const {
  return std::any_of(notes_.begin(), notes_.end(),
                     [&](const std::string& note) { return note.find(part) != std::string::npos; });
}

const Resource* SiteTest::file(std::string_view path) const {
  const Found found = find(path);
  return found.kind == Found::Kind::file ? found.resource : nullptr;
}

std::string SiteTest::content(std::string_view path) const {
  const Variant* identity = variant(path, Coding::identity);
  return identity == nullptr ? "(missing)" : text_of(identity->body);
}

const Variant* SiteTest::variant(std::string_view path, Coding coding) const {
  const Resource* resource = file(path);
  if (resource == nullptr) return nullptr;
  for (const Variant& one : resource->variants) {
    if (one.coding == coding) return &one;
  }
  return nullptr;
}

std::string SiteTest::fields(std::string_view path, Coding coding) const {
  const Variant* one = variant(path, coding);
  return one == nullptr ? "(missing)" : std::string(one->fields);
}

std::string SiteTest::field(std::string_view path, std::string_view name, Coding coding) const {
  const std::string lines = "\r\n" + fields(path, coding);
  const std::size_t at = lines.find("\r\n" + std::string(name) + ": ");
  if (at == std::string::npos) return "(none)";
  const std::size_t begin = at + name.size() + 4;
  return lines.substr(begin, lines.find("\r\n", begin) - begin);
}

}  // namespace lab
