// The echo.
#include "tests/fake_kernel/echo_script.hpp"

namespace lab::fake {

const Subject subject = Subject::echo;

std::shared_ptr<const Script> make_script(std::uint64_t key) {
  return std::make_shared<EchoScript>(key);
}

std::optional<std::string_view> file_content(int) { return {}; }

}  // namespace lab::fake
