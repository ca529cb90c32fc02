// Clients that others wrote, where they are installed.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/http_server/http_client.hpp"
#include "tests/http_server/http_server_process.hpp"
#include "tests/site/site_fixture.hpp"
#include "tests/tls/tls_client.hpp"

namespace lab {
namespace {

struct Outcome {
  int code = -1;
  std::string output;  ///< both streams
};

Outcome run(const std::string& command) {
  Outcome outcome;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return outcome;
  std::array<char, 4096> part;
  for (std::size_t count = 0; (count = fread(part.data(), 1, part.size(), pipe)) > 0;)
    outcome.output.append(part.data(), count);
  const int status = pclose(pipe);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 255;
  return outcome;
}

bool is_there(const std::string& command) { return run(command + " --version").code == 0; }

enum class Scheme : std::uint8_t { http, https };

class HttpClients : public testing::TestWithParam<Scheme> {
 protected:
  static bool is_https() { return GetParam() == Scheme::https; }
  std::string url(const std::string& path) {
    return fmt::format("{}://{}:{}{}", is_https() ? "https" : "http", host, server_.port(), path);
  }
  // As the log says that it works: the name is that of the certificate.
  std::string curl() {
    const std::string plain = "curl -sS --noproxy '*' --max-time 60 ";
    if (!is_https()) return plain;
    return fmt::format("{}--cacert {} --connect-to ::127.0.0.1:{} ", plain, pair_.certificate,
                       server_.port());
  }
  std::string content(const std::string& name) const { return file_text(folder_.path(name)); }

  static constexpr const char* host = "localhost";
  const Folder folder_;
  test::TlsFiles certificates_;
  const test::TlsFiles::Pair pair_ = certificates_.make({host});
  const StatsJson stats_;
  ServerProcess server_{http_server(filled(folder_), flags())};

 private:
  std::vector<std::string> flags() const {
    std::vector<std::string> flags = {"--stats-json", stats_.path()};
    if (is_https())
      flags.insert(flags.end(), {"--tls-cert", pair_.certificate, "--tls-key", pair_.key});
    return flags;
  }
  static std::string filled(const Folder& folder) {
    folder.write("site/index.html", prose(20'000));
    folder.write("site/kept.bin", noise(300'000));
    folder.write("site/streamed.bin", noise(3 << 20));
    return folder.path("site");
  }
};
INSTANTIATE_TEST_SUITE_P(Of, HttpClients, testing::Values(Scheme::http, Scheme::https),
                         [](const auto& one) {
                           return one.param == Scheme::https ? "Https" : "Http";
                         });

TEST_P(HttpClients, Curl) {
  if (!is_there("curl")) GTEST_SKIP() << "curl is not installed";
  const std::string curl = HttpClients::curl();
  const std::string to = folder_.path("got");
  // Decoded, it is the file.
  for (const char* file : {"index.html", "kept.bin", "streamed.bin"}) {
    const Outcome got = run(curl + "--compressed -o " + to + " " + url(std::string("/") + file));
    EXPECT_EQ(got.code, 0) << got.output;
    EXPECT_TRUE(content("got") == content(std::string("site/") + file)) << file;
  }
  // One connection for several.
  const Outcome twice =
      run(curl + "-v -o /dev/null -o /dev/null " + url("/") + " " + url("/kept.bin"));
  EXPECT_EQ(twice.code, 0);
  EXPECT_NE(twice.output.find("Re-using existing connection"), std::string::npos) << twice.output;
  const Outcome head = run(curl + "-I " + url("/kept.bin"));
  EXPECT_NE(head.output.find("Content-Length: 300000"), std::string::npos) << head.output;
  // A download that was cut is resumed.
  for (const char* file : {"kept.bin", "streamed.bin"}) {
    folder_.write("got", content(std::string("site/") + file).substr(0, 12'345));
    const Outcome rest = run(curl + "-C - -o " + to + " " + url(std::string("/") + file));
    EXPECT_EQ(rest.code, 0) << rest.output;
    EXPECT_TRUE(content("got") == content(std::string("site/") + file)) << file;
  }
  const std::string asks_again = curl + "--etag-save " + folder_.path("tag") + " --etag-compare " +
                                 folder_.path("tag") + " -w '%{http_code}' -o " + to + " ";
  EXPECT_EQ(run(asks_again + url("/")).output, "200");
  EXPECT_EQ(run(asks_again + url("/")).output, "304");
}

TEST_P(HttpClients, PythonsHttpClient) {
  if (!is_there("python3")) GTEST_SKIP() << "python3 is not installed";
  folder_.write("client.py", R"(
import gzip, http.client, ssl, sys
port, folder, authority = int(sys.argv[1]), sys.argv[2], sys.argv[3]
wanted = lambda name: open(folder + '/' + name, 'rb').read()
connection = http.client.HTTPConnection('localhost', port, timeout=60)
if authority != 'none':
    trusts = ssl.create_default_context(cafile=authority)
    connection = http.client.HTTPSConnection('localhost', port, timeout=60, context=trusts)
def ask(method, path, fields={}):
    connection.request(method, path, headers=fields)
    answer = connection.getresponse()
    return answer, answer.read()
answer, body = ask('GET', '/')
socket = connection.sock
assert answer.status == 200 and body == wanted('index.html')
tag = answer.getheader('ETag')
answer, body = ask('HEAD', '/')
assert answer.status == 200 and body == b'' and answer.getheader('ETag') == tag
answer, body = ask('GET', '/', {'If-None-Match': tag})
assert answer.status == 304 and body == b''
answer, body = ask('GET', '/', {'Accept-Encoding': 'gzip'})
assert answer.getheader('Content-Encoding') == 'gzip'
assert gzip.decompress(body) == wanted('index.html')
for name in ('kept.bin', 'streamed.bin'):
    answer, body = ask('GET', '/' + name, {'Range': 'bytes=1000-'})
    assert answer.status == 206 and body == wanted(name)[1000:]
answer, body = ask('GET', '/none')
assert answer.status == 404
answer, body = ask('POST', '/', {'Content-Length': '0'})
assert answer.status == 405
assert connection.sock is socket, 'it was not one connection'
print('as it should be')
)");
  const Outcome got =
      run(fmt::format("python3 {} {} {} {}", folder_.path("client.py"), server_.port(),
                      folder_.path("site"), is_https() ? pair_.certificate : "none"));
  EXPECT_EQ(got.output, "as it should be\n");
}

// Behind a proxy that keeps its connections for the next request, whoever it is from.
TEST_P(HttpClients, NginxInFront) {
  const std::string program = "/usr/sbin/nginx";
  if (!std::filesystem::exists(program)) GTEST_SKIP() << "nginx is not installed";
  const std::uint16_t port = free_port();
  folder_.write("nginx.conf", fmt::format(R"(daemon off;
master_process off;
pid {0}/nginx.pid;
error_log {0}/nginx.log;
events {{ }}
http {{
  access_log off;
  proxy_max_temp_file_size 0;
  client_body_temp_path {0}/body;
  proxy_temp_path {0}/proxy;
  fastcgi_temp_path {0}/fastcgi;
  uwsgi_temp_path {0}/uwsgi;
  scgi_temp_path {0}/scgi;
  upstream site {{ server 127.0.0.1:{1}; keepalive 8; }}
  server {{
    listen 127.0.0.1:{2};
    location / {{
      proxy_pass {3}://site;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host {4};
    }}
  }}
}}
)",
                                          folder_.path(), server_.port(), port,
                                          is_https() ? "https" : "http", host));
  ServerProcess nginx({.flags = {"-c", folder_.path("nginx.conf"), "-e", folder_.path("nginx.log")},
                       .program = program});
  const auto listens = [&] {
    try {
      return HttpClient(port).get("/none").status == 404;
    } catch (const Failure&) {
      return false;
    }
  };
  ASSERT_TRUE(eventually(listens)) << file_text(folder_.path("nginx.log"));
  unsigned asked = 0;
  for (unsigned visit = 0; visit < 3; ++visit) {
    HttpClient client(port);
    for (const char* file : {"index.html", "kept.bin", "streamed.bin"}) {
      const std::string path = std::string("/") + file;
      const std::string whole = content(std::string("site/") + file);
      const test::HttpAnswer answer = client.get(path);
      EXPECT_EQ(answer.status, 200) << path;
      EXPECT_TRUE(answer.body == whole) << path;
      const test::HttpAnswer part = client.get(path, "Range: bytes=1000-1999\r\n");
      EXPECT_EQ(part.status, 206) << path;
      EXPECT_TRUE(part.body == whole.substr(1000, 1000)) << path;
      const std::string* tag = answer.field("ETag");
      ASSERT_NE(tag, nullptr) << path;
      EXPECT_EQ(client.get(path, "If-None-Match: " + *tag + "\r\n").status, 304) << path;
      client.ask(path, {}, "HEAD");
      EXPECT_EQ(client.answer(true).status, 200) << path;
      asked += 4;
    }
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
    EXPECT_EQ(client.answer().status, 405);
    ++asked;
  }
  nginx.signal(SIGKILL);
  expect_drains(server_);
  const double connections = stats_.lines().back()["accepted"].number();
  EXPECT_LT(connections, asked / 4) << "for " << asked << " requests";
}

// Whoever loads servers counts what was no success.
TEST_P(HttpClients, LoadGenerators) {
  const std::pair<const char*, const char*> all[] = {
      {"wrk -v", "wrk -c 8 -t 1 -d 1 "},
      {"h2load --version", "h2load --h1 -n 1000 -c 8 "},
      {"ab -V", "ab -k -n 1000 -c 8 "}};
  unsigned there = 0;
  for (const auto& [asks, loads] : all) {
    if (run(asks).code == 127) continue;
    ++there;
    const Outcome got = run(loads + url("/kept.bin"));
    EXPECT_EQ(got.code, 0) << got.output;
    for (const char* bad : {"Non-2xx", "Socket errors"})
      EXPECT_EQ(got.output.find(bad), std::string::npos) << got.output;
  }
  if (there == 0) GTEST_SKIP() << "neither wrk nor h2load nor ab is installed";
}

}  // namespace
}  // namespace lab
