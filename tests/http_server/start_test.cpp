// What the server can be told, what it refuses and how it says so, and how it ends.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <memory>

#include "tests/http_server/http_client.hpp"
#include "tests/http_server/http_server_process.hpp"
#include "tests/site/site_fixture.hpp"

namespace lab {
namespace {

void expect_refused(ServerProcess& server, int code, const std::vector<std::string>& words) {
  const std::optional<Exit> end = server.wait();
  ASSERT_TRUE(end) << "it started";
  EXPECT_TRUE(end->exited) << "by signal " << end->code;
  EXPECT_EQ(end->code, code);
  for (const std::string& word : words) {
    EXPECT_NE(server.log().find(word), std::string::npos) << "no \"" << word << "\" in\n"
                                                          << server.log();
  }
}

std::string field(const test::HttpAnswer& answer, std::string_view name) {
  const std::string* value = answer.field(name);
  return value == nullptr ? "(none)" : *value;
}

// --- what it can be told ---

TEST(HttpStart, HelpNamesEveryOptionOfItsOwn) {
  ServerProcess server(http_server_with({"--help"}));
  const std::optional<Exit> end = server.wait();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, 0);
  for (const char* word : {"DIR",
                           "--index",
                           "--no-redirect",
                           "--spa",
                           "--404",
                           "--memory-limit-file",
                           "--compress",
                           "--cache-control",
                           "--header",
                           "--cors",
                           "--target-bytes-max",
                           "--header-bytes-max",
                           "--header-count-max",
                           "--body-bytes-max",
                           "--request-timeout",
                           "--requests-per-connection",
                           "--connection-age-max-ms",
                           "--answer-buffer-count",
                           "--answer-buffer-size",
                           "--idle-timeout-ms",
                           "--tls",
                           "--tls-cert",
                           "--tls-key",
                           "--tls-min",
                           "--tls-client-ca",
                           "--tls-strict-sni",
                           "--workers",
                           "SIGHUP"})
    EXPECT_NE(server.output().find(word), std::string::npos) << word;
}

TEST(HttpStart, FlagsOfTheSite) {
  const Folder folder;
  folder.write("home.html", "home");
  folder.write("dir/home.html", "in dir");
  folder.write("missing.html", "not here");
  folder.write("code.js", prose(5000));
  folder.write("page.html", prose(5000));
  ServerProcess server(http_server(
      folder.path(), {"--index", "home.html", "--no-redirect", "--404", "/missing.html",
                      "--memory-limit-file", "4k", "--compress", "none", "--cache-control",
                      "*.js=public, max-age=60", "--cache-control", "*=no-cache", "--header",
                      "X-One: 1", "--header", "X-Two: 2", "--cors", "https://example.org"}));
  HttpClient client(server.port());
  EXPECT_EQ(client.get("/").body, "home");
  EXPECT_EQ(client.get("/dir").body, "in dir");
  const test::HttpAnswer missing = client.get("/none");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.body, "not here");
  EXPECT_EQ(field(missing, "X-One"), "1");
  const test::HttpAnswer code = client.get("/code.js", "Accept-Encoding: gzip, br, zstd\r\n");
  EXPECT_EQ(code.body, prose(5000));
  EXPECT_EQ(field(code, "Content-Encoding"), "(none)");
  EXPECT_EQ(field(code, "Cache-Control"), "public, max-age=60");
  EXPECT_EQ(field(code, "X-Two"), "2");
  EXPECT_EQ(field(code, "Access-Control-Allow-Origin"), "https://example.org");
  EXPECT_EQ(field(client.get("/page.html"), "Cache-Control"), "no-cache");
  expect_drains(server);
}

TEST(HttpStart, AnApplicationInOnePage) {
  const Folder folder;
  folder.write("index.html", "app");
  ServerProcess server(http_server(folder.path(), {"--spa", "/index.html"}));
  HttpClient client(server.port());
  const test::HttpAnswer page = client.get("/some/view?x=1", "Accept: text/html\r\n");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.body, "app");
  EXPECT_EQ(client.get("/some/app.js", "Accept: text/html\r\n").status, 404);
  EXPECT_EQ(client.get("/some/data").status, 404) << "who asks for no page gets none";
  expect_drains(server);
}

TEST(HttpStart, CompressionIsDoneAtTheStart) {
  const Folder folder;
  folder.write("page.html", prose(50'000));
  for (const char* effort : {"fast", "good", "best"}) {
    ServerProcess server(http_server(folder.path(), {"--compress", effort}));
    HttpClient client(server.port());
    for (const char* coding : {"gzip", "br", "zstd"}) {
      const test::HttpAnswer page =
          client.get("/page.html", fmt::format("Accept-Encoding: {}\r\n", coding));
      EXPECT_EQ(field(page, "Content-Encoding"), coding);
      EXPECT_LT(page.body.size(), 20'000U);
    }
    expect_drains(server);
  }
}

// What the log offers to try is answered with 200, whether the folder has an index or not.
TEST(HttpStart, TheLogNamesAPathThatIsThere) {
  const Folder folder;
  const auto offered = [&folder] {
    ServerProcess server(http_server(folder.path()));
    HttpClient client(server.port());
    const std::string words = fmt::format("try: curl -i http://127.0.0.1:{}", server.port());
    EXPECT_TRUE(server.logs(words));
    const std::string& log = server.log();
    const std::size_t begin = log.find(words) + words.size();
    const std::string path = log.substr(begin, log.find('\n', begin) - begin);
    EXPECT_EQ(client.get(path).status, 200) << path;
    expect_drains(server);
    return path;
  };
  folder.write("deep/file.txt", "hello");
  folder.write("a (b) & c", "hello");
  EXPECT_EQ(offered(), "/a%20%28b%29%20%26%20c") << "as a shell takes it";
  folder.write("b/index.html", "hello");
  EXPECT_EQ(offered(), "/b/");
  folder.write("index.html", "hello");
  EXPECT_EQ(offered(), "/");
}

// --- what it refuses ---

TEST(HttpStart, WrongValuesAreRefusedWithCauseAndCure) {
  const Folder folder;
  folder.write("index.html", "hello");
  struct Wrong {
    const char* option;
    const char* value;
    const char* says;
  };
  const Wrong all[] = {
      {"--index", "", "'' is no name (is a variable not set?)"},
      {"--spa", "", "'' is no name (is a variable not set?)"},
      {"--404", "", "'' is no name (is a variable not set?)"},
      {"--memory-limit-file", "-1", "-1 is not between 0 and 1073741824"},
      {"--memory-limit-file", "2TiB", "is not between 0 and 1073741824"},
      {"--compress", "much", "'much' is none of none,fast,good,best"},
      {"--cache-control", "x", "'x' is no PATTERN=VALUE. Cure: as in '*.js=public"},
      {"--header", "X", "'X' has no colon. Cure: --header 'NAME: VALUE'"},
      {"--header", "A B: c", "'A B' is no name of a header field. Cure: letters"},
      {"--header", "Content-Length: 3", "Content-Length cannot be set by hand"},
      {"--cors", "example.org", "'example.org' is no origin. Cure: '*', or scheme and host"},
      {"--request-timeout", "999", "999 is not between 1000 and 3600000"},
      {"--requests-per-connection", "-1", "-1 is not between 0 and 1000000000"},
      {"--connection-age-max-ms", "604800001", "604800001 is not between 0 and 604800000"},
      {"--target-bytes-max", "15", "15 is not between 16 and 1048576"},
      {"--header-bytes-max", "2m", "is not between 256 and 1048576"},
      {"--header-count-max", "0", "0 is not between 1 and 100000"},
      {"--answer-buffer-count", "15", "15 is not between 16 and 32768"},
      {"--answer-buffer-size", "4095", "4095 is not between 4096 and 65536"},
      {"--answer-buffer-size", "4100", "4100 is not a multiple of 8"},
      {"--body-bytes-max", "-1", "-1 is not between 0 and 1099511627776"},
      {"--target-bytes-max", "32k", "32768 is more than --header-bytes-max, 16384. Cure: raise "},
  };
  for (const Wrong& wrong : all) {
    ServerProcess server(http_server(folder.path(), {wrong.option, wrong.value}));
    expect_refused(server, 2, {fmt::format("http-server: {}: ", wrong.option), wrong.says});
    EXPECT_EQ(server.log().find(std::string(wrong.option) + ": " + wrong.option), std::string::npos)
        << "the option is named twice";
  }
  ServerProcess unknown(http_server(folder.path(), {"--bogus"}));
  expect_refused(unknown, 2, {"--bogus", "--help"});
  ServerProcess nothing(http_server_with({}));
  expect_refused(nothing, 2, {"DIR is required"});
}

TEST(HttpStart, PagesThatTheSiteDoesNotHave) {
  const Folder folder;
  folder.write("index.html", "hello");
  for (const char* option : {"--spa", "--404"}) {
    ServerProcess server(http_server(folder.path(), {option, "/none.html"}));
    expect_refused(server, 1,
                   {option, "the site has no file '/none.html'. Cure: name one by its path"});
  }
}

TEST(HttpStart, FoldersThatAreNone) {
  const Folder folder;
  folder.make_directory("empty");
  folder.write("file", "x");
  ServerProcess missing(http_server(folder.path("missing")));
  expect_refused(missing, 1, {"there is no folder", "Cure: name the folder"});
  ServerProcess file(http_server(folder.path("file")));
  expect_refused(file, 1, {"is no folder", "Cure: name the folder that the file is in"});
  ServerProcess empty(http_server(folder.path("empty")));
  expect_refused(empty, 1, {"has no file to serve", "Cure: put an index.html into it"});
}

TEST(HttpStart, WhatMayNotBeReadIsNamed) {
  const Folder folder;
  ASSERT_EQ(chmod(folder.path().c_str(), 0755), 0);
  folder.write("index.html", "hello");
  folder.write("secret.html", "secret");
  ASSERT_EQ(chmod(folder.path("secret.html").c_str(), 0), 0);
  for (const char* where : {"", "sub"}) {
    ServerProcess::Setup setup = http_server(folder.path());
    setup.unprivileged = true;
    ServerProcess server(setup);
    expect_refused(server, 1, {where, "cannot be read: Permission denied. Cure: let the server"});
    ASSERT_EQ(chmod(folder.path("secret.html").c_str(), 0644), 0);
    folder.make_directory("sub");
    ASSERT_EQ(chmod(folder.path("sub").c_str(), 0), 0);
  }
}

TEST(HttpStart, APortInUse) {
  const Folder folder;
  folder.write("index.html", "hello");
  ServerProcess first(http_server(folder.path()));
  const std::string port = std::to_string(first.port());
  ServerProcess second(http_server(folder.path(), {"--port", port}));
  expect_refused(second, 1, {"port " + port, "in use by another server. Cure: "});
  expect_drains(first);
}

// --- how it ends ---

// D15
TEST(HttpDrain, ADownloadIsFinishedAndIdleConnectionsAreClosed) {
  const Folder folder;
  const std::string large = noise(100 << 20);
  folder.write("index.html", "hello");
  folder.write("large.bin", large);
  for (const char* limit : {"1MiB", "1GiB"}) {
    ServerProcess server(http_server(
        folder.path(), {"--drain-deadline-ms", "120000", "--memory-limit-file", limit}));
    HttpClient download(server.port(), 64 << 10);
    download.ask("/large.bin");
    download.wait_for_bytes();
    std::vector<std::unique_ptr<HttpClient>> idle;
    for (unsigned number = 0; number < 100; ++number) {
      idle.push_back(std::make_unique<HttpClient>(server.port()));
      EXPECT_EQ(idle.back()->get("/").body, "hello");
    }
    server.signal(SIGTERM);
    for (auto& client : idle) EXPECT_TRUE(client->ended());
    EXPECT_TRUE(eventually([&] {
      try {
        HttpClient late(server.port());
        return false;
      } catch (const Failure&) {
        return true;
      }
    })) << "the port is still open";
    EXPECT_TRUE(download.answer().body == large);
    EXPECT_TRUE(download.ended());
    const std::optional<Exit> end = server.wait();
    ASSERT_TRUE(end);
    EXPECT_EQ(end->code, 0);
  }
}

}  // namespace
}  // namespace lab
