"""Headless Chromium for tests: a page is opened, and what it and its console say is read."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile


class Browser:
    """One page of Chromium, spoken to over two pipes in its own protocol."""

    def __init__(self, program, profile, flags=()):
        to_read, self.to = os.pipe()
        self.back, from_write = os.pipe()
        # The protocol wants the descriptors 3 and 4, which the shell can give it.
        self.process = subprocess.Popen(
            ["sh", "-c", f'exec "$@" 3<&{to_read} 4>&{from_write}', "sh", program,
             "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--remote-debugging-pipe", f"--user-data-dir={profile}", *flags, "about:blank"],
            pass_fds=(to_read, from_write), stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(from_write)
        self.rest, self.count, self.session, self.events = b"", 0, None, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(domain + ".enable")

    def message(self):
        while b"\0" not in self.rest:
            got = os.read(self.back, 1 << 16)
            if not got:
                sys.exit("chromium.py: Chromium ended before it answered")
            self.rest += got
        one, _, self.rest = self.rest.partition(b"\0")
        return json.loads(one)

    def call(self, method, **params):
        self.count += 1
        request = {"id": self.count, "method": method, "params": params}
        if self.session:
            request["sessionId"] = self.session
        os.write(self.to, json.dumps(request).encode() + b"\0")
        while True:
            said = self.message()
            if said.get("id") == self.count:
                if "error" in said:
                    sys.exit(f"chromium.py: {method}: {said['error']['message']}")
                return said["result"]
            self.events.append(said)

    def open(self, url):
        """Loads a page, to its end. What its console then says is in events."""
        self.events = []
        self.call("Page.navigate", url=url)
        self.wait_for("Page.loadEventFired")

    def wait_for(self, method):
        while not any(said.get("method") == method for said in self.events):
            self.events.append(self.message())

    def errors(self):
        for said in self.events:
            params = said.get("params", {})
            if said.get("method") == "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                yield details.get("exception", {}).get("description", "exception")
            if said.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
                yield params["entry"]["text"]
            if said.get("method") == "Runtime.consoleAPICalled" and params["type"] == "error":
                yield str(params["args"])

    def value(self, script):
        """What it returns, or what its promise becomes."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in result:
            return "exception: " + str(result["exceptionDetails"])
        return result["result"].get("value")


@contextlib.contextmanager
def started(flags=()):
    """A browser that ends with the block. Without Chromium the program ends: SKIP, with 77."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if not program:
        print("SKIP: no chromium here")
        sys.exit(77)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile, flags)
        yield browser
        browser.session = None
        browser.call("Browser.close")
        browser.process.wait()
