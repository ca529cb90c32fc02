#include "06-server/http-server/bench/http_peers.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string_view>

#include "01-core/lib/check.hpp"
#include "02-files/lib/fd.hpp"

namespace lab {

namespace {

// sendfile and tcp_nopush: whole segments; open_file_cache: no open and stat a request; deferred: a
// connection is accepted with its request, as h2o does it without being told.
constexpr const char* nginx_configuration = R"(daemon off;
worker_processes 1;
pid @DIRECTORY@/nginx.pid;
error_log @DIRECTORY@/nginx.error.log;
events { worker_connections 16384; multi_accept on; use epoll; }
http {
  types { text/html html; application/octet-stream bin; }
  access_log @LOG@;
  sendfile on;
  sendfile_max_chunk 2m;
  tcp_nopush on;
  tcp_nodelay on;
  keepalive_timeout 600s;
  keepalive_requests 1000000000;
  open_file_cache max=1000 inactive=600s;
  open_file_cache_valid 600s;
  gzip_static on;
  client_body_temp_path @DIRECTORY@/nginx.body;
  proxy_temp_path @DIRECTORY@/nginx.proxy;
  fastcgi_temp_path @DIRECTORY@/nginx.fastcgi;
  uwsgi_temp_path @DIRECTORY@/nginx.uwsgi;
  scgi_temp_path @DIRECTORY@/nginx.scgi;
  server { listen 127.0.0.1:@PORT@ reuseport backlog=4096 deferred; root @SITE@; }
}
)";

constexpr const char* h2o_configuration = R"(num-threads: 1
max-connections: 16384
error-log: @DIRECTORY@/h2o.error.log
pid-file: @DIRECTORY@/h2o.pid
@LOG@
http1-request-timeout: 600
@USER@
hosts:
  "default":
    listen: { host: 127.0.0.1, port: @PORT@ }
    paths:
      "/":
        file.dir: @SITE@
        file.send-compressed: ON
        file.mime.addtypes: { "application/octet-stream": ".bin" }
)";

std::uint16_t free_port() {
  const Fd fd(check_errno(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  check_errno(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size), "bind");
  check_errno(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
  return ntohs(address.sin_port);
}

void replace(std::string& text, std::string_view what, const std::string& with) {
  for (std::size_t place; (place = text.find(what)) != std::string::npos;) {
    text.replace(place, what.size(), with);
  }
}

// The first line of what it says of itself.
std::string version_of(const std::string& command) {
  struct Close {
    void operator()(FILE* file) const noexcept { pclose(file); }
  };
  const std::unique_ptr<FILE, Close> pipe(popen((command + " 2>&1").c_str(), "r"));
  std::array<char, 128> line{};
  if (!pipe || std::fgets(line.data(), line.size(), pipe.get()) == nullptr) return "?";
  const std::string text = line.data();
  return text.substr(0, text.find('\n'));
}

std::filesystem::path find_program(std::string_view name) {
  for (const char* folder : {"/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"}) {
    const std::filesystem::path path = std::filesystem::path(folder) / name;
    if (std::filesystem::exists(path)) return path;
  }
  return {};
}

}  // namespace

std::vector<HttpPeer> installed_peers(const std::filesystem::path& site,
                                      const std::filesystem::path& directory, int cpu, bool logs) {
  std::vector<HttpPeer> peers;
  const auto add = [&](const std::string& name, const char* configuration,
                       const std::string& version_flag, const std::string& log) {
    const std::filesystem::path program = find_program(name);
    if (program.empty()) return;
    const std::uint16_t port = free_port();
    std::string text = configuration;
    replace(text, "@LOG@", log);
    replace(text, "@DIRECTORY@", directory.string());
    replace(text, "@SITE@", site.string());
    replace(text, "@PORT@", fmt::format("{}", port));
    replace(text, "@USER@", geteuid() == 0 ? "user: root" : "");
    const std::filesystem::path file = directory / (name + ".conf");
    std::ofstream out(file);
    out << (name == "nginx" && geteuid() == 0 ? "user root;\n" : "") << text << std::flush;
    if (!out) throw std::runtime_error(fmt::format("{} cannot be written", file.string()));
    peers.push_back({.name = name,
                     .version = version_of(program.string() + " " + version_flag),
                     .start = {.program = program,
                               .arguments = {"-c", file.string()},
                               .cpu = cpu,
                               .log = directory / (name + ".log"),
                               .stats = {},
                               .port = port}});
  };
  // What h2o writes it never buffers.
  add("nginx", nginx_configuration, "-v",
      logs ? "@DIRECTORY@/nginx.access.log combined buffer=64k flush=1s" : "off");
  add("h2o", h2o_configuration, "--version", logs ? "access-log: @DIRECTORY@/h2o.access.log" : "");
  return peers;
}

}  // namespace lab
