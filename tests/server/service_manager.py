"""A service manager's part, for tests: it passes sockets to a server and hears what that says.

Nothing here is about how fast a server is: each wait has a deadline that only one that hangs
reaches.
"""

import os
import signal
import socket
import subprocess

PATIENCE = 120


def check(condition, what):
    if not condition:
        raise AssertionError(what)


class Manager:
    """The socket that a service tells its state to."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(PATIENCE)

    def next(self):
        return self.socket.recv(4096).decode()

    def wait_for(self, word):
        while True:
            lines = self.next().split("\n")
            if word in lines:
                return lines

    def drain(self):
        self.socket.setblocking(False)
        try:
            while True:
                self.socket.recv(4096)
        except BlockingIOError:
            self.socket.settimeout(PATIENCE)


def listening(kind=socket.SOCK_STREAM, listens=True):
    made = socket.socket(socket.AF_INET, kind)
    made.bind(("127.0.0.1", 0))
    if listens:
        made.listen(1024)
    return made


class Server:
    """The program with descriptors from 3 on, as systemd starts it."""

    def __init__(self, program, sockets, flags=(), watchdog_us=None, manager=None, fds=None):
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith(("LISTEN_", "NOTIFY_", "WATCHDOG_"))}
        count = len(sockets) if fds is None else fds
        if count:
            environment["LISTEN_FDS"] = str(count)
        if manager:
            environment["NOTIFY_SOCKET"] = manager.path
        if watchdog_us:
            environment["WATCHDOG_USEC"] = str(watchdog_us)
        # exec keeps the shell's number, so LISTEN_PID is right.
        script = 'LISTEN_PID=$$; export LISTEN_PID; exec "$0" "$@"'
        # Above 3, and then from 3 on: none takes another one's place.
        high = [os.dup2(each.fileno(), 100 + place) for place, each in enumerate(sockets)]

        def place():
            for number, fd in enumerate(high):
                os.dup2(fd, 3 + number, inheritable=True)

        self.process = subprocess.Popen(
            ["sh", "-c", script, program, *flags], env=environment, close_fds=False,
            preexec_fn=place, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for fd in high:
            os.close(fd)

    def workers(self):
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]

    def end(self):
        """After its end: its exit code and its log."""
        _, log = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, log

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code, log = self.end()
        check(code == 0, f"exit code {code} after SIGTERM:\n{log}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def echo(address, content):
    with socket.create_connection(address, timeout=PATIENCE) as client:
        client.sendall(content)
        client.shutdown(socket.SHUT_WR)
        got = b""
        while part := client.recv(65536):
            got += part
    check(got == content, f"{len(got)} bytes came back of {len(content)}, or others")
