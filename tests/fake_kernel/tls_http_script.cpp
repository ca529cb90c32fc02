// HTTP over TLS.
#include "tests/fake_kernel/http_world.hpp"
#include "tests/fake_kernel/tls_world.hpp"

namespace lab::fake {

const Subject subject = Subject::tls_http;

std::shared_ptr<const Script> make_script(std::uint64_t key) {
  return make_tls_script(key, make_http_dialogue(key));
}

std::optional<std::string_view> file_content(int fd) { return http_file_content(fd); }

}  // namespace lab::fake
