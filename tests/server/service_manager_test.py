"""Plays systemd for the echo server: passes its socket, and reads what it says of itself.

service_manager_test.py ECHO_SERVER: prints what is wrong and exits with 1.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import service_manager
from service_manager import PATIENCE, Manager, check, echo, listening

FLAGS = ["--workers", "2", "--buffer-count", "64", "--buffer-size", "4096",
         "--drain-deadline-ms", "2000"]


def Server(sockets, flags=(), **more):
    return service_manager.Server(PROGRAM, sockets, [*FLAGS, *flags], **more)


def state_of(process):
    """'T' stopped, 'Z' a zombie, '' gone."""
    try:
        with open(f"/proc/{process}/stat", encoding="ascii") as file:
            return file.read().rpartition(") ")[2][0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def serves_at_the_passed_socket(manager):
    with listening() as passed, Server([passed], manager=manager) as server:
        said = manager.wait_for("READY=1")
        port = passed.getsockname()[1]
        check(f"STATUS=listening on 127.0.0.1:{port}" in said, f"it says {said}")
        echo(passed.getsockname(), os.urandom(300_000))
        server.process.send_signal(signal.SIGTERM)
        manager.wait_for("STOPPING=1")
        code, log = server.end()
        check(code == 0, f"exit code {code}:\n{log}")
        check(passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1,
              "it has shut down a socket that is not its own")


def says_when_it_reads_anew(manager):
    if shutil.which("openssl") is None:
        SKIPPED.append("reading anew needs a certificate, and there is no openssl to make one")
        return
    files = ["--tls-cert", f"{FOLDER}/cert", "--tls-key", f"{FOLDER}/key"]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=test", "-out", files[1],
                    "-keyout", files[3]], check=True, stderr=subprocess.DEVNULL)
    with listening() as passed, Server([passed], files, manager=manager) as server:
        manager.wait_for("READY=1")
        server.process.send_signal(signal.SIGHUP)
        said = manager.wait_for("RELOADING=1")
        times = [line for line in said if line.startswith("MONOTONIC_USEC=")]
        check(len(times) == 1 and 0 < int(times[0].partition("=")[2]) <=
              time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000, f"no time in {said}")
        manager.wait_for("READY=1")
        server.stop()


def pings_while_the_workers_move(manager):
    with listening() as passed:
        with Server([passed], watchdog_us=400_000, manager=manager) as server:
            manager.wait_for("READY=1")
            for _ in range(2):
                manager.wait_for("WATCHDOG=1")
            worker = server.workers()[0]
            os.kill(worker, signal.SIGSTOP)
            while state_of(worker) != "T":
                time.sleep(0.01)
            # A ping may be on its way, and the worker may have moved since the last one: one more.
            # Then none comes before the supervisor has killed it, which its log says.
            pings = 0
            killed = threading.Event()

            def read_log():
                for line in server.process.stderr:
                    if "gave no sign of life" in line:
                        killed.set()
                        return

            reader = threading.Thread(target=read_log)
            manager.drain()
            reader.start()
            while not killed.is_set():
                manager.socket.settimeout(0.05)
                try:
                    pings += manager.next().count("WATCHDOG=1")
                except TimeoutError:
                    pass
            reader.join()
            manager.socket.settimeout(PATIENCE)
            check(pings <= 2, f"{pings} pings while a worker was stopped")
            manager.wait_for("WATCHDOG=1")  # the next one moves


def no_client_is_refused_between_two_servers(manager):
    with listening() as passed:
        # A client comes with its first bytes: one that has said nothing yet is ended by a drain.
        passed.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, PATIENCE)
        stopped = threading.Event()
        wrong = []
        served = [0, 0]

        def clients(which):
            while not stopped.is_set():
                try:
                    echo(passed.getsockname(), b"still there?" * 100)
                    served[which] += 1
                except (OSError, AssertionError) as error:
                    wrong.append(error)

        threads = [threading.Thread(target=clients, args=(which,)) for which in range(2)]
        with Server([passed], manager=manager) as first:
            manager.wait_for("READY=1")
            for each in threads:
                each.start()
            try:
                while min(served) < 20 and not wrong:
                    time.sleep(0.01)
                first.stop()
                with Server([passed], manager=manager) as second:
                    manager.wait_for("READY=1")
                    before = list(served)
                    while not wrong and any(now < then + 20 for now, then in zip(served, before)):
                        time.sleep(0.01)
                    stopped.set()
                    for each in threads:
                        each.join()
                    second.stop()
            finally:
                stopped.set()
        check(not wrong, f"{len(wrong)} clients were sent away, the first by {wrong[:1]}")


def a_killed_supervisor_leaves_the_socket(manager):
    with listening() as passed:
        with Server([passed], manager=manager) as server:
            manager.wait_for("READY=1")
            workers = server.workers()
            server.process.kill()
            server.end()
            while any(state_of(worker) not in ("", "Z") for worker in workers):
                time.sleep(0.01)
        with Server([passed], manager=manager) as server:
            manager.wait_for("READY=1")
            echo(passed.getsockname(), b"again")
            server.stop()


def cpu_ticks(process, before=0):
    """What it has used of a processor so far; of one that is gone, what it had before."""
    try:
        with open(f"/proc/{process}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return before
    return int(fields[11]) + int(fields[12])


def a_drain_beside_waiting_clients_is_quiet(manager):
    """Those who come while it drains wait for the next server. They are no event for this one."""
    for backend in ("io_uring", "portable"):
        with listening() as passed, \
                Server([passed], ["--backend", backend], manager=manager) as server:
            manager.wait_for("READY=1")
            workers = server.workers()
            with socket.create_connection(passed.getsockname(), timeout=PATIENCE) as busy:
                busy.setblocking(False)
                try:
                    while True:  # until its answers fill everything: it holds the drain to its end
                        busy.send(bytes(65536))
                        time.sleep(0.001)
                except BlockingIOError:
                    pass
                server.process.send_signal(signal.SIGTERM)
                manager.wait_for("STOPPING=1")
                time.sleep(0.2)  # the worker has heard of it
                began, used = time.monotonic(), {worker: [] for worker in workers}
                waiting = [socket.create_connection(passed.getsockname(), timeout=PATIENCE)
                           for _ in range(3)]
                while any(state_of(worker) not in ("", "Z") for worker in workers):
                    for worker in workers:
                        used[worker].append(cpu_ticks(worker, max(used[worker], default=0)))
                    ended = time.monotonic()
                    time.sleep(0.05)
                ticks = sum(seen[-1] - seen[0] for seen in used.values())
                seconds = ticks / os.sysconf("SC_CLK_TCK")
                code, log = server.end()
                check(code == 0, f"exit code {code}:\n{log}")
                check(seconds < 0.1 + (ended - began) / 4,
                      f"{backend}: {seconds:.2f} s of a processor in a drain of {ended - began:.2f} s")
                for each in waiting:
                    each.close()


def every_worker_gets_clients_of_one_socket(manager):
    numbers = os.path.join(FOLDER, "numbers")
    # Room for many: a worker that waited with a multishot accept would get all of them.
    flags = ["--connections", "8192", "--stats-json", numbers]
    with listening() as passed, Server([passed], flags, manager=manager) as server:
        manager.wait_for("READY=1")
        # More than the accepts that both workers wait with, 64 each.
        for _ in range(160):
            echo(passed.getsockname(), b"x")
        server.stop()
    with open(numbers, encoding="ascii") as file:
        last = json.loads(file.read().splitlines()[-1])
    accepted = [each["accepted"] for each in last["workers"]]
    check(sum(accepted) == 160 and min(accepted) > 0, f"the workers accepted {accepted} of 160")
    print(f"the workers accepted {accepted}")


def wrong_sockets_are_explained(_):
    with listening(socket.SOCK_DGRAM, listens=False) as udp, listening(listens=False) as idle, \
            listening() as good, open(os.devnull, "rb") as file:
        cases = [
            ([udp], [], None, "ListenStream= in place of ListenDatagram="),
            ([idle], [], None, "does not listen"),
            ([file], [], None, "is no socket"),
            ([good, good, good], [], None, "--workers 3"),
            ([good], ["--port", "0"], None, "--port: the server was started with its listening"),
            ([], [], "many", "is no number of descriptors"),
        ]
        for sockets, flags, fds, words in cases:
            with Server(sockets, flags, fds=fds) as server:
                code, log = server.end()
                check(code == 2 and words in log and "Cure:" in log,
                      f"exit code {code}, and not \"{words}\":\n{log}")


PROGRAM = sys.argv[1]
SKIPPED = []
with tempfile.TemporaryDirectory() as FOLDER:
    MANAGER = Manager(FOLDER)
    for test in (serves_at_the_passed_socket, says_when_it_reads_anew,
                 pings_while_the_workers_move,
                 no_client_is_refused_between_two_servers, a_killed_supervisor_leaves_the_socket,
                 a_drain_beside_waiting_clients_is_quiet,
                 every_worker_gets_clients_of_one_socket, wrong_sockets_are_explained):
        MANAGER.drain()
        test(MANAGER)
        print(f"{test.__name__}: OK", flush=True)
for reason in SKIPPED:
    print(f"SKIP: {reason}")
sys.exit(77 if SKIPPED else 0)
