// Each end of a proxy has a stream of its own: what the other one says is what it hears.
#include "tests/fake_kernel/random.hpp"
#include "tests/fake_kernel/script.hpp"

namespace lab::fake {

namespace {

class PassScript final : public Script {
 public:
  explicit PassScript(std::uint64_t key) : key_(key) {}

  void say(std::uint64_t position, std::span<std::byte> into) const override {
    for (std::byte& byte : into) byte = static_cast<std::byte>(content(key_, position++));
  }
  std::size_t agrees(std::uint64_t position, std::span<const std::byte> heard) const override {
    std::size_t count = 0;
    while (count < heard.size() &&
           heard[count] == static_cast<std::byte>(content(others_, position + count))) {
      ++count;
    }
    return count;
  }
  /// Bytes of the other one's, which it decides.
  std::uint64_t due(std::uint64_t) const override { return 0; }
  void joins(const Script& other) const override {
    others_ = static_cast<const PassScript&>(other).key_;
  }

 private:
  std::uint64_t key_;
  mutable std::uint64_t others_ = 0;
};

}  // namespace

const Subject subject = Subject::proxy;

std::shared_ptr<const Script> make_script(std::uint64_t key) {
  return std::make_shared<PassScript>(key);
}

std::optional<std::string_view> file_content(int) { return {}; }

}  // namespace lab::fake
