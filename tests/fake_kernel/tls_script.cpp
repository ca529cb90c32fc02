// An echo over TLS.
#include <optional>
#include <string_view>

#include "tests/fake_kernel/echo_script.hpp"
#include "tests/fake_kernel/tls_world.hpp"

namespace lab::fake {

const Subject subject = Subject::tls;

std::shared_ptr<const Script> make_script(std::uint64_t key) {
  return make_tls_script(key, std::make_shared<EchoScript>(key));
}

std::optional<std::string_view> file_content(int) { return {}; }

}  // namespace lab::fake
