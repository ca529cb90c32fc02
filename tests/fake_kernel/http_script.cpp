// HTTP in the clear.
#include "tests/fake_kernel/http_world.hpp"

namespace lab::fake {

const Subject subject = Subject::http;

std::shared_ptr<const Script> make_script(std::uint64_t key) { return make_http_dialogue(key); }

std::optional<std::string_view> file_content(int fd) { return http_file_content(fd); }

}  // namespace lab::fake
