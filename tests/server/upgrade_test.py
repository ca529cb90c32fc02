"""A new binary takes the listeners over while clients come and go: none is refused, none is cut.

upgrade_test.py ECHO_SERVER HTTP_SERVER HAS_LIBUV: prints what is wrong and exits with 1. HAS_LIBUV
is 1 where they can do without io_uring. The sockets have TCP_DEFER_ACCEPT, as the page says: a
client comes to a server with its first bytes, so that none is there that has said nothing when a
drain begins.
"""

import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time

from service_manager import PATIENCE, Manager, Server, check, echo

# Nobody is reset for being slow: only a server that hangs reaches this deadline.
FLAGS = ["--buffer-count", "512", "--buffer-size", "4096", "--send-buffer", "65536",
         "--drain-deadline-ms", "100000"]
LARGE = bytes(range(256)) * 1200


def listeners(count):
    """Sockets of one port, as a .socket unit opens them."""
    made = []
    for _ in range(count):
        one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, PATIENCE)
        one.bind(made[0].getsockname() if made else ("127.0.0.1", 0))
        one.listen(1024)
        made.append(one)
    return made


class Load:
    """Clients that come and go until they are told to stop, or one was sent away."""

    def __init__(self, client, address, count=4):
        self.address = address
        self.stopped = threading.Event()
        self.wrong = []
        self.served = [0] * count
        self.threads = [threading.Thread(target=self.run, args=(client, which))
                        for which in range(count)]

    def run(self, client, which):
        try:
            for _ in client(self.address):
                self.served[which] += 1
                if self.stopped.is_set():
                    return
        except (OSError, AssertionError) as error:
            self.wrong.append(error)

    def wait_for_more(self):
        """Each of them is served ten times more."""
        before = list(self.served)
        while any(now < then + 10 for now, then in zip(self.served, before)):
            check(not self.wrong, f"a client was sent away: {self.wrong[:1]}")
            time.sleep(0.005)

    def __enter__(self):
        for each in self.threads:
            each.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for each in self.threads:
            each.join()


def echoes(address):
    while True:
        echo(address, b"still there?" * 100)
        yield


def pages(address):
    """Requests on a connection that stays. It may end between two of them, and nowhere else."""
    while True:
        with socket.create_connection(address, timeout=PATIENCE) as client:
            fresh = True
            while answered(client, fresh):
                fresh = False
                yield


def answered(client, fresh):
    """False where the server has ended the connection instead, before a byte of the answer."""
    got = b""
    try:
        client.sendall(b"GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n")
        while b"\r\n\r\n" not in got:
            part = client.recv(65536)
            if not part and not got and not fresh:
                return False
            check(part, f"an end within an answer's head, after {len(got)} bytes")
            got += part
    except (ConnectionResetError, BrokenPipeError):
        check(not fresh and not got, "a reset before the first answer was there")
        return False
    head, _, body = got.partition(b"\r\n\r\n")
    check(head.startswith(b"HTTP/1.1 200 "), f"the answer begins with {head[:60]}")
    while len(body) < len(LARGE):
        part = client.recv(65536)
        check(part, f"an answer was cut after {len(body)} bytes")
        body += part
    check(body == LARGE, "the answer has other bytes")
    return b"connection: close" not in head.lower()


class LateReader:
    """A client of the old server that has said all, and reads when the old server is told to go."""

    CONTENT = os.urandom(300_000)

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        self.socket.connect(address)
        self.socket.sendall(self.CONTENT)
        self.socket.shutdown(socket.SHUT_WR)
        self.got = self.socket.recv(1)  # a server has it now

    def read(self):
        while part := self.socket.recv(65536):
            self.got += part
        self.socket.close()
        check(self.got == self.CONTENT, f"a late reader got {len(self.got)} bytes, or others")


class Version:
    """A server of its own binary, which says by itself when it serves."""

    def __init__(self, number, program, sockets, flags):
        self.binary = shutil.copy(program, os.path.join(FOLDER, f"version-{number}"))
        self.statistics = os.path.join(FOLDER, f"statistics-{number}")
        room = os.path.join(FOLDER, f"room-{number}")
        os.mkdir(room)
        self.manager = Manager(room)
        self.server = Server(self.binary, sockets,
                             [*flags, *FLAGS, "--stats-json", self.statistics],
                             manager=self.manager)
        self.manager.wait_for("READY=1")
        running = os.readlink(f"/proc/{self.server.process.pid}/exe")
        check(running == os.path.realpath(self.binary), f"it is {running} that runs")

    def leave(self, late):
        """Drains while the late readers read."""
        self.server.process.send_signal(signal.SIGTERM)
        self.manager.wait_for("STOPPING=1")
        for each in late:
            each.read()
        code, log = self.server.end()
        check(code == 0, f"exit code {code}:\n{log}")
        with open(self.statistics, encoding="ascii") as file:
            last = json.loads(file.read().splitlines()[-1])
        resets = sum(each["drain_resets"] for each in last["workers"])
        check(resets == 0, f"{resets} connections were reset at the end of the drain")
        os.remove(self.binary)


def upgrades(count, program, client, flags, socket_count, late_count, first):
    sockets = listeners(socket_count)
    address = sockets[0].getsockname()
    old = Version(first, program, sockets, flags)
    new = None
    try:
        with Load(client, address) as load:
            for number in range(first + 1, first + 1 + count):
                load.wait_for_more()
                # Nobody else serves yet, so the old one has them.
                late = [LateReader(address) for _ in range(late_count)]
                new = Version(number, program, sockets, flags)
                load.wait_for_more()
                old.leave(late)
                load.wait_for_more()
                old, new = new, None
        check(not load.wrong, f"{len(load.wrong)} clients were sent away: {load.wrong[:1]}")
        old.leave([])
    finally:
        for each in (old, new):
            if each and each.server.process.poll() is None:
                each.server.process.kill()
                each.server.process.communicate()
        for each in sockets:
            each.close()
    return sum(load.served)


ECHO, HTTP, HAS_LIBUV = sys.argv[1:]
with tempfile.TemporaryDirectory() as FOLDER:
    SITE = os.path.join(FOLDER, "site")
    os.mkdir(SITE)
    with open(os.path.join(SITE, "large.bin"), "wb") as page:
        page.write(LARGE)
    CASES = {
        "one socket for all workers": (2, ECHO, echoes, ["--workers", "2"], 1, 3),
        "a socket for each worker": (2, ECHO, echoes, ["--workers", "2"], 2, 3),
        "reactors": (2, ECHO, echoes, ["--workers", "2", "--topology", "reactors"], 1, 3),
        "without io_uring": (2, ECHO, echoes, ["--workers", "2", "--backend", "portable"], 1, 3),
        "pages on connections that stay":
            (1, HTTP, pages, [SITE, "--compress", "none", "--workers", "2"], 1, 0),
    }
    if HAS_LIBUV != "1":
        del CASES["without io_uring"]
    for place, (name, case) in enumerate(CASES.items()):
        started = time.monotonic()
        served = upgrades(*case, first=place * 10)
        print(f"{name}: {served} served, {case[0]} upgrades, none sent away "
              f"({time.monotonic() - started:.1f} s)", flush=True)
