// The oracle of HTTP: what the protocol answers when every request comes whole, every byte is taken
// at once and there are always buffers. That it answers right then, the table says (tests/http);
// that it answers the same whatever the kernel does, this.
#include <array>
#include <string>
#include <string_view>

#include "06-server/lib/protocol/http/http_static.hpp"
#include "tests/fake_kernel/dialogue.hpp"
#include "tests/fake_kernel/http_world.hpp"
#include "tests/fake_kernel/random.hpp"
#include "tests/protocol/test_io.hpp"

namespace lab::fake {

namespace {

// A type of its own: a planted bug changes the protocol of the server under test alone.
class OracleSource : public test::TestSource {
 public:
  using TestSource::TestSource;
};
using Oracle = HttpStatic<OracleSource>;

constexpr std::array<std::string_view, 16> questions{
    "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET /f.bin HTTP/1.1\r\nHost: h\r\n\r\n",
    "HEAD /f.bin HTTP/1.1\r\nHost: h\r\n\r\n",
    "HEAD /big.bin HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET /f.bin HTTP/1.1\r\nHost: h\r\nRange: bytes=10-19\r\n\r\n",
    "GET /big.bin HTTP/1.1\r\nHost: h\r\nRange: bytes=100000-120000\r\n\r\n",
    "GET /big.bin HTTP/1.1\r\nHost: h\r\nRange: bytes=-300\r\n\r\n",
    "GET /f.bin HTTP/1.1\r\nHost: h\r\nIf-None-Match: *\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: br, gzip;q=0.5\r\n\r\n",
    "GET /missing HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET /dir?x=1 HTTP/1.1\r\nHost: h\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
    "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "GET /large.bin HTTP/1.1\r\nHost: h\r\nRange: bytes=1000-9000\r\n\r\n",
};
constexpr std::string_view last_question =
    "GET /f.bin HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
constexpr std::string_view no_question = "GET / HTTP/1.1\r\nHost : h\r\n";

class HttpDialogue final : public Dialogue {
 public:
  explicit HttpDialogue(std::uint64_t key) : Dialogue({}), random_(key) {
    const unsigned dice = random_.below(100);
    ending_ = dice < 30 ? Ending::last : dice < 45 ? Ending::refused : Ending::none;
    left_ = random_.between(0, random_.chance(500) ? 4 : 40);
    if (ending_ != Ending::none) reach_the_end();
  }

 private:
  enum class Ending : std::uint8_t { none, last, refused };

  void go_on() const override {
    if (ending_ == Ending::none || left_ > 0) {
      --left_;
      const unsigned which = random_.below(questions.size());
      static std::array<std::string, questions.size()> answers;  // each is always the same
      if (answers[which].empty()) answers[which] = answer(questions[which]);
      ask(questions[which], answers[which]);
    } else if (ending_ == Ending::last) {
      end(last_question, last_question.size(), answer(last_question));
    } else {
      const std::string more(random_.below(3000), 'x');
      end(std::string(no_question) + more, no_question.size(), answer(no_question));
    }
  }

  static std::string answer(std::string_view question) {
    static OracleSource source{http_site()};
    static std::array<Counter, HttpCounters::size> memory;
    static HttpCounters counters{memory};
    static Oracle::Shared shared{http_options(), source, counters};
    test::TestConnection<Oracle> connection(shared);
    connection.io.files = http_site().streams();
    connection.feed(question);
    return connection.output;
  }

  Ending ending_;
  mutable Random random_;
  mutable unsigned left_;
};

}  // namespace

std::shared_ptr<const Script> make_http_dialogue(std::uint64_t key) {
  return std::make_shared<HttpDialogue>(key);
}

std::optional<std::string_view> http_file_content(int fd) {
  const auto found = http_site().streams().find(fd);
  if (found == http_site().streams().end()) return {};
  return found->second;
}

}  // namespace lab::fake
