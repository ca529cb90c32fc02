// The capstone: a TCP echo server with one worker process per core, each with its own ring, that
// sends back the very buffers it received; over TLS, where it is given a certificate, copies of
// them.

#include <memory>
#include <span>

#include "06-server/lib/process/serve.hpp"
#include "06-server/lib/process/tls_command.hpp"
#include "06-server/lib/protocol/echo.hpp"
#include "06-server/lib/protocol/tls/tls.hpp"

using TlsEcho = lab::Tls<lab::Echo>;

#ifndef LAB_WITHOUT_IO_URING
static_assert(sizeof(lab::Connection<lab::Echo>) == 256);
static_assert(sizeof(lab::Connection<TlsEcho>) <= 1024);
#endif

int main(int argc, char** argv) {
  lab::ServerCommand command({
      .name = "echo-server",
      .description =
          "A TCP echo server on io_uring: one pinned process per core, no copy between receive and "
          "send.\n\n"
          "Try it:   echo-server --port 8000      then, elsewhere:   nc localhost 8000\n"
          "          (nc is in the package netcat-openbsd)\n"
          "With TLS: echo-server --tls self-signed   then:   openssl s_client localhost:8000\n"
          "Load it:  build/release/bin/ringload 127.0.0.1 8000 --connections 64\n"
          "          (./lab bench load --help builds it)\n"
          "Stop it:  Ctrl-C drains, a second one stops at once.",
      .on_hangup =
          "SIGHUP reads the files of --tls-cert anew while it serves, and drains where there are "
          "none.",
  });
  lab::TlsCommand tls(command);
  command.parse(argc, argv);
  if (tls.start()) {
    return lab::serve<TlsEcho>(command, [&](std::span<lab::Counter> of_worker) {
      return std::make_unique<lab::TlsWorker<TlsEcho>>(tls.context(), tls.counters(of_worker));
    });
  }
  return lab::serve<lab::Echo>(command);
}
