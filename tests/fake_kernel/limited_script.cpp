// The echo of a server that has limits: scenario.cpp draws them, limits_oracle.cpp judges them.
#include "tests/fake_kernel/echo_script.hpp"

namespace lab::fake {

const Subject subject = Subject::limited;

std::shared_ptr<const Script> make_script(std::uint64_t key) {
  return std::make_shared<EchoScript>(key);
}

std::optional<std::string_view> file_content(int) { return {}; }

}  // namespace lab::fake
