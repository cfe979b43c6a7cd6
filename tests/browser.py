# SPDX-License-Identifier: BSD-2-Clause
"""
A headless Chromium for tests of pages: one process, spoken to over a pipe, no network.

    with Browser() as browser:
        page = browser.open("/tmp/x.svg")
        page.run("document.title")
        page.complaints     # what went to the console, and uncaught errors
"""
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

PATIENCE = 30


class Browser:
    def __init__(self, program="chromium"):
        self.folder = tempfile.mkdtemp(prefix="dwell-browser-")
        to_it, self.out = os.pipe()
        self.inp, from_it = os.pipe()
        # the pipe's ends are 3 and 4 there: what has these numbers here must not be closed early
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                 "--disable-extensions", "--disable-background-networking", "--disable-component-update",
                 "--remote-debugging-pipe", "--window-size=1280,900", f"--user-data-dir={self.folder}",
                 "about:blank"]
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", f'exec "$@" 3<&{to_it} 4>&{from_it}', "sh", program, *flags],
            pass_fds=(to_it, from_it), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
            env={**os.environ, "HOME": self.folder, "XDG_CONFIG_HOME": self.folder})
        os.close(to_it)
        os.close(from_it)
        self.rest, self.number, self.events = b"", 0, []

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        os.close(self.out)
        os.close(self.inp)
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def message(self, until):
        while b"\0" not in self.rest:
            left = until - time.monotonic()
            assert left > 0 and select.select([self.inp], [], [], left)[0], "the browser does not answer"
            data = os.read(self.inp, 1 << 20)
            assert data, "the browser has ended"
            self.rest += data
        raw, self.rest = self.rest.split(b"\0", 1)
        return json.loads(raw)

    def send(self, method, session=None, **params):
        self.number += 1
        request = {"id": self.number, "method": method, "params": params}
        if session:
            request["sessionId"] = session
        data = json.dumps(request).encode() + b"\0"
        while data:
            data = data[os.write(self.out, data):]
        until = time.monotonic() + PATIENCE
        while True:
            m = self.message(until)
            if m.get("id") == self.number:
                assert "error" not in m, f"{method}: {m['error']}"
                return m["result"]
            self.events.append(m)

    def open(self, path, scripts=True, dark=False):
        return Page(self, path, scripts, dark)


class Page:
    def __init__(self, browser, path, scripts, dark):
        self.browser = browser
        target = browser.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.send("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.send("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.send("Page.navigate", url="file://" + path)
        until = time.monotonic() + PATIENCE
        while not self.seen("Page.loadEventFired"):
            browser.events.append(browser.message(until))

    def send(self, method, **params):
        return self.browser.send(method, self.session, **params)

    def seen(self, *methods):
        return [e["params"] for e in self.browser.events
                if e.get("sessionId") == self.session and e.get("method") in methods]

    def run(self, expression):
        done = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def key(self, key, text=""):
        code = {"Enter": 13, "Escape": 27, "ArrowDown": 40, "ArrowUp": 38, "ArrowLeft": 37, "ArrowRight": 39}
        number = code.get(key, 0)
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=number,
                      **({"text": text} if text and kind == "keyDown" else {}))

    def type(self, text):
        for letter in text:
            self.key(letter, letter)

    def click(self, x, y):
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def move(self, x, y):
        self.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    @property
    def complaints(self):
        """What the page said to the console, uncaught errors, what was blocked."""
        return self.seen("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")

    @property
    def requests(self):
        return [e["request"]["url"] for e in self.seen("Network.requestWillBeSent")]
