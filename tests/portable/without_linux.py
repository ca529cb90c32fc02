#!/usr/bin/env python3
"""The servers without io_uring, built and run where Linux's own headers and calls are refused.

    without_linux.py SOURCE BUILD COMPILER

It configures SOURCE with -DLAB_IO_URING=OFF into BUILD, with a folder first in the include path in
which each header that only Linux has is an #error, and with 06-server/without-ring/refused.hpp in
front of every source, which takes calls and constants away. Then it runs what was built.

What is not refused: the headers of linux/ that the C library, the C++ library or libuv include
themselves (they are printed), and sys/syscall.h, which libstdc++ includes; but the call syscall()
is refused. Exit code 77: something that it needs is not here.
"""

import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request

SECONDS = 300  # for what takes a second: whoever needs longer hangs
REFUSED = """
    liburing/barrier.h liburing/compat.h liburing/io_uring.h liburing/io_uring_version.h
    sys/auxv.h sys/epoll.h sys/eventfd.h sys/fanotify.h sys/inotify.h sys/mount.h sys/personality.h
    sys/pidfd.h sys/prctl.h sys/quota.h sys/random.h sys/rseq.h sys/sendfile.h sys/signalfd.h
    sys/statfs.h sys/swap.h sys/sysinfo.h sys/sysmacros.h sys/timerfd.h sys/vfs.h sys/xattr.h
    malloc.h
""".split()
# Each must not compile, or this check finds nothing.
PLANTED = [
    ("#include <sys/epoll.h>", "not on this system"),
    ("#include <linux/io_uring.h>", "not on this system"),
    ("#include <linux/filter.h>", "not on this system"),
    ('int main() { return memfd_create("", 0); }', "poison"),
    ("int main() { return static_cast<int>(syscall(1)); }", "poison"),
    ("int main() { return sizeof(cpu_set_t); }", "poison"),
]


def main():
    # ninja compiles in another folder than this runs in.
    source, build = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    compiler = sys.argv[3]
    if shutil.which("ninja") is None or shutil.which("cmake") is None:
        print("SKIP: no cmake or no ninja here")
        return 77
    build.mkdir(parents=True, exist_ok=True)
    refused = refuse_headers(source, build / "refused", compiler)
    flags = front_flags(source) + ["-I", str(refused)]
    prove(source, flags, compiler)
    configure(source, build, compiler, refused)
    run(["cmake", "--build", str(build), "--parallel", "2"])
    programs = build / "bin"
    check_words(programs)
    check_echo(programs / "echo-server")
    check_echo(programs / "session-echo", "--backend", "portable")
    check_http(programs / "http-server")
    print("OK")
    return 0


# --- building ---


def front_flags(source):
    names = source / "06-server/without-ring/names.hpp"
    return ["-std=c++20", "-DLAB_REFUSE_LINUX", "-I", str(source), "-include", str(names)]


def refuse_headers(source, folder, compiler):
    """A folder of headers that are not there, for all that the libraries do not include."""
    empty = folder.parent / "empty.cpp"
    empty.write_text("")
    made = run([compiler, *front_flags(source), "-M", str(empty)])
    included = {pathlib.Path(word) for word in made.replace("\\\n", " ").split()}
    of_linux = {path for path in included if path.parent.name == "linux"}
    if not of_linux:
        fail("no header of linux/ is included at all, so there is no knowing where they are")
    allowed = {path.name for path in of_linux}
    print("headers of linux/ that the libraries include:", *sorted(allowed))
    top = next(iter(of_linux)).parent
    names = list(REFUSED)
    for path in sorted(top.rglob("*.h")):
        relative = path.relative_to(top)
        if path not in included:
            names.append(f"linux/{relative}")
    print(len(names), "headers are refused")
    shutil.rmtree(folder, ignore_errors=True)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f'#error "{name}: not on this system"\n')
    return folder


def prove(source, flags, compiler):
    """That the refusals refuse."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "planted.cpp"
        command = [compiler, *flags, "-fsyntax-only", str(file)]
        for text, reason in [("int main() {}", None), *PLANTED]:
            file.write_text(text + "\n")
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            if reason is None and result.returncode != 0:
                fail("an empty program does not compile:\n" + result.stderr)
            if reason is not None and (result.returncode == 0 or reason not in result.stderr):
                fail(f"this compiles, and must not: {text}\n{result.stderr}")


def configure(source, build, compiler, refused):
    # -O0: the compiler's time is most of this check's.
    flags = f"-O0 -DLAB_REFUSE_LINUX -I{refused}"
    run(["cmake", "-S", str(source), "-B", str(build), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=None",
         "-DLAB_IO_URING=OFF", "-DLAB_WERROR=ON", f"-DCMAKE_CXX_COMPILER={compiler}",
         f"-DCMAKE_CXX_FLAGS={flags}"])


# --- running ---


class Server:
    """A server on a port of its own choice, and what it says on stderr."""

    def __init__(self, *command):
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([*map(str, command), "--port", "0"], text=True,
                                        stdout=subprocess.PIPE, stderr=self.log)
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            self.process.kill()
            fail(f"{command} does not serve: {line}{self.words()}")
        self.port = int(line.rsplit(":", 1)[1])

    def words(self):
        self.log.flush()
        self.log.seek(0)
        return self.log.read()

    def wait_for(self, words):
        deadline = time.monotonic() + SECONDS
        while words not in self.words():
            if time.monotonic() > deadline:
                fail(f"it never said '{words}', but:\n{self.words()}")
            time.sleep(0.02)

    def worker(self):
        """Its one child. Linux, where this check runs, tells it."""
        path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        return int(pathlib.Path(path).read_text().split()[0])

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(SECONDS)
        if code != 0:
            fail(f"exit code {code} after SIGTERM:\n{self.words()}")
        self.process.stdout.close()
        self.log.close()


def check_words(programs):
    asked = [str(programs / "echo-server"), "--help"]
    if "This program was built without io_uring" not in run(asked):
        fail("--help does not tell of what the program was built without")
    for flags, words in [
        (["--backend", "io_uring"], "was built without io_uring (-DLAB_IO_URING=OFF). Cure: "),
        (["--topology", "reactors"], "does not have reactors"),
        (["--steer", "cpu"], "Cure: --steer hash"),
        (["--workers", "2"], "Cure: --workers 1"),
        (["--congestion", "reno"], "no such option"),
    ]:
        result = subprocess.run([asked[0], *flags, "--port", "0"], capture_output=True, text=True,
                                check=False, timeout=SECONDS)
        if result.returncode not in (1, 2) or words not in result.stderr:
            fail(f"{flags}: code {result.returncode}, and not '{words}':\n{result.stderr}")


def check_echo(program, *flags):
    server = Server(program, *flags)
    server.wait_for("the portable engine, libuv")
    echo(server.port)
    # Its worker dies: the supervisor has to see that, and to start another.
    os.kill(server.worker(), signal.SIGKILL)
    server.wait_for("worker 0 serves again")
    echo(server.port)
    server.end()


def echo(port):
    sent = os.urandom(300_000)
    got = bytearray()
    with socket.create_connection(("127.0.0.1", port), SECONDS) as client:
        for begin in range(0, len(sent), 10_000):
            piece = sent[begin:begin + 10_000]
            client.sendall(piece)
            want = len(got) + len(piece)
            while len(got) < want and (more := client.recv(65536)):
                got += more
        client.shutdown(socket.SHUT_WR)
        while more := client.recv(65536):
            got += more
    if got != sent:
        fail(f"{len(sent)} bytes were sent, and other {len(got)} came back")


def check_http(program):
    with tempfile.TemporaryDirectory() as name:
        site = pathlib.Path(name)
        (site / "in").mkdir()
        (site / "index.html").write_text("first")
        large = os.urandom(3_000_000)
        (site / "in" / "large.bin").write_bytes(large)
        flags = ["--memory-limit-file", "1000000"]
        for scheme, tls in [("http", []), ("https", ["--tls", "self-signed"])]:
            (site / "index.html").write_text("first")
            server = Server(program, site, *flags, *tls)
            address = f"{scheme}://127.0.0.1:{server.port}/"
            compare(get(address), b"first")
            compare(get(address + "in/large.bin"), large)
            (site / "index.html").write_text("second")
            server.process.send_signal(signal.SIGHUP)
            deadline = time.monotonic() + SECONDS
            while get(address) != b"second":
                if time.monotonic() > deadline:
                    fail("SIGHUP does not read the site anew:\n" + server.words())
                time.sleep(0.02)
            server.end()
        for flags, words in [
            (["--watch"], "Cure: reload with SIGHUP"),
            (["--access-log", str(site / "log")], "and this program was built without io_uring"),
        ]:
            result = subprocess.run([program, site, *flags, "--port", "0"], capture_output=True,
                                    text=True, check=False, timeout=SECONDS)
            if result.returncode != 1 or words not in result.stderr:
                fail(f"{flags}: code {result.returncode}, and not '{words}':\n{result.stderr}")


def get(address):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with urllib.request.urlopen(address, timeout=SECONDS, context=context) as answer:
        return answer.read()


def compare(got, wanted):
    if got != wanted:
        fail(f"{len(got)} bytes came, and not the {len(wanted)} of the file")


# --- words ---


def run(command):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            check=False)
    if result.returncode != 0:
        fail(f"{' '.join(command)}: code {result.returncode}\n{result.stdout[-6000:]}")
    return result.stdout


def fail(words):
    print("FAIL:", words)
    sys.exit(1)


if __name__ == "__main__":
    sys.exit(main())
