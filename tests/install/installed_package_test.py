"""Installs the lab, builds the example beside this file against it, and checks what it answers.

installed_package_test.py CMAKE BUILD COMPILER VERSION [LAUNCHER]: prints what is wrong and exits
with 1; 77 where something is missing. BUILD is a build of everything. The installed folder is moved
before it is used, so nothing in it may lead to where it was. It is always the same one, so that a
compiler's cache (LAUNCHER) knows it.
"""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys

PATIENCE = 300
EXAMPLE = pathlib.Path(__file__).parent / "example"


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def run(*words, **more):
    done = subprocess.run([str(word) for word in words], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=PATIENCE, check=False, **more)
    check(done.returncode == 0, f"{' '.join(map(str, words))}:\n{done.stdout}")
    return done.stdout


class Program:
    """A server that says on its first line where it listens."""

    def __init__(self, *words):
        self.process = subprocess.Popen([str(word) for word in words], text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def __enter__(self):
        first = self.process.stdout.readline()
        found = re.match(r"listening on 127\.0\.0\.1:(\d+)", first)
        if not found:
            self.process.kill()
            raise AssertionError(f"it says \"{first}\" and:\n{self.process.communicate()[1]}")
        self.port = int(found[1])
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def end(self):
        said, log = self.process.communicate(timeout=PATIENCE)
        check(self.process.returncode == 0, f"exit code {self.process.returncode}:\n{said}{log}")


def answer(port, content):
    """What comes back while the content is sent in pieces, until the server's end."""
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
        for at in range(0, len(content), 30_000):
            piece = content[at:at + 30_000]
            client.sendall(piece)
            while len(got) < at + len(piece):
                part = client.recv(65536)
                check(part, f"the end after {len(got)} bytes of {at + len(piece)}")
                got += part
        client.shutdown(socket.SHUT_WR)
        check(client.recv(1) == b"", "more came back than was sent")
    return got


def check_component_echo(program):
    with Program(program, "2") as echo:
        for content in (b"hello", os.urandom(200_000)):
            check(answer(echo.port, content) == content, "other bytes came back")
        echo.end()


def check_shout(program):
    content = bytes(range(256)) * 500
    with Program(program, "--port", "0", "--workers", "1", "--buffer-count", "64") as server:
        got = answer(server.port, content)
        server.process.terminate()
        server.end()
    check(got == content.upper(), "other bytes came back")


def installed(folder):
    first = folder / "first"
    run(CMAKE, "--install", BUILD, "--prefix", first)
    prefix = folder / "moved"
    first.rename(prefix)
    for program in "echo-server http-server proxy ringload ringio ring-cp ring-cat".split():
        said = run(prefix / "bin" / program, "--version")
        check(said == f"{program} {VERSION} (io_uring lab)\n", f"{program} --version says {said}")
    return prefix


def by_cmake(folder, prefix):
    run(CMAKE, "-S", EXAMPLE, "-B", folder / "build", f"-DCMAKE_PREFIX_PATH={prefix}",
        f"-DCMAKE_CXX_COMPILER={COMPILER}", f"-DCMAKE_CXX_COMPILER_LAUNCHER={';'.join(LAUNCHER)}",
        "-DCMAKE_BUILD_TYPE=", "-DCMAKE_CXX_FLAGS=-Wall -Werror")
    run(CMAKE, "--build", folder / "build")
    check_component_echo(folder / "build/component-echo")
    check_shout(folder / "build/shout-server")


def by_pkg_config(folder, prefix):
    found = {"PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig"), **os.environ}

    def ask(*words):
        return run("pkg-config", *words, env=found).split()

    check(ask("--modversion", "io_uring_lab") == [VERSION], "pkg-config knows another version")
    made = folder / "component_echo.o"
    run(*LAUNCHER, COMPILER, "-std=c++20", "-c", EXAMPLE / "component_echo.cpp", "-o", made,
        *ask("--cflags", "io_uring_lab"))
    run(COMPILER, made, "-o", folder / "component-echo", *ask("--libs", "io_uring_lab"))
    check_component_echo(folder / "component-echo")
    # The engine's header takes a compiler long, and it was read once: here it is linked.
    objects = list((folder / "build").rglob("shout_server.cpp.o"))
    check(len(objects) == 1, f"{objects} in place of one object")
    run(COMPILER, *objects, "-o", folder / "shout-server", *ask("--libs", "io_uring_lab-server"))
    check_shout(folder / "shout-server")


CMAKE, BUILD, COMPILER, VERSION, *LAUNCHER = sys.argv[1:]
FOLDER = pathlib.Path(BUILD) / "installed-package"
shutil.rmtree(FOLDER, ignore_errors=True)
FOLDER.mkdir()
PREFIX = installed(FOLDER)
by_cmake(FOLDER, PREFIX)
print("find_package: OK", flush=True)
if shutil.which("pkg-config") is None:
    print("SKIP: find_package works; there is no pkg-config to try the other way")
    sys.exit(77)
by_pkg_config(FOLDER, PREFIX)
print("pkg-config: OK")
shutil.rmtree(FOLDER)
