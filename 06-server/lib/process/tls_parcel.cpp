#include "06-server/lib/process/tls_parcel.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "01-core/lib/check.hpp"
#include "06-server/lib/os/memory_file.hpp"
#include "06-server/lib/protocol/tls/tls_error.hpp"

namespace lab {

namespace {

// Numbers of eight bytes, and each text behind its size.
constexpr std::uint64_t magic = 0x736c742d62616cU;  // "lab-tls"

void put(std::string& to, std::uint64_t number) {
  to.append(reinterpret_cast<const char*>(&number), sizeof number);
}
void put(std::string& to, const std::string& text) {
  put(to, text.size());
  to += text;
}
void put(std::string& to, const std::vector<std::string>& texts) {
  put(to, texts.size());
  for (const std::string& text : texts) put(to, text);
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  std::uint64_t number() {
    std::uint64_t value = 0;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string text() { return std::string(take(number())); }
  std::vector<std::string> texts() {
    std::vector<std::string> all;
    for (std::uint64_t left = number(); left > 0; --left) all.push_back(text());
    return all;
  }

 private:
  std::string_view take(std::uint64_t size) {
    if (size > bytes_.size()) throw TlsError("this descriptor is no parcel with certificates");
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }

  std::string_view bytes_;
};

}  // namespace

Fd pack_tls(const TlsContents& contents) {
  std::string all;
  put(all, magic);
  put(all, contents.certificates);
  put(all, contents.keys);
  put(all, contents.client_ca);
  Fd parcel = memory_file("certificates");
  std::size_t written = 0;
  while (written < all.size()) {
    const ssize_t count = pwrite(parcel.get(), all.data() + written, all.size() - written,
                                 static_cast<off_t>(written));
    written += static_cast<std::size_t>(check_errno(static_cast<int>(count), "write of a parcel"));
  }
  return parcel;
}

TlsContents unpack_tls(const Fd& parcel) {
  struct stat status {};
  check_errno(fstat(parcel.get(), &status), "fstat of a parcel");
  std::string all(static_cast<std::size_t>(status.st_size), '\0');
  const ssize_t count = pread(parcel.get(), all.data(), all.size(), 0);
  all.resize(static_cast<std::size_t>(check_errno(static_cast<int>(count), "read of a parcel")));
  Reader reader(all);
  if (reader.number() != magic) throw TlsError("this descriptor is no parcel with certificates");
  TlsContents contents;
  contents.certificates = reader.texts();
  contents.keys = reader.texts();
  contents.client_ca = reader.text();
  return contents;
}

}  // namespace lab
