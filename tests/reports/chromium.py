"""A headless Chromium driven through its debugging pipe, with the standard library alone."""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip
PATIENCE = 60.0
# The debugging pipe is file 3 (commands) and file 4 (answers) of the process; by way of 101 and 102,
# for the ends of the pipes may have those numbers already.
LAUNCH = """
import os, sys
for given, held in zip(sys.argv[1:3], (101, 102)):
    os.dup2(int(given), held)
os.dup2(101, 3), os.dup2(102, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


def find() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@dataclass
class Page:
    """One tab: commands go in, and everything that it logs or asks the network for is kept."""

    to_browser: int
    from_browser: int
    session: str = ""
    serial: int = 0
    buffer: bytes = b""
    events: list[dict] = field(default_factory=list)

    def call(self, method: str, **params: object) -> dict:
        self.serial += 1
        message = {"id": self.serial, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_browser, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            got = self._next()
            if got.get("id") == self.serial:
                assert "error" not in got, f"{method}: {got['error']}"
                return got["result"]
            self.events.append(got)
        raise TimeoutError(method)

    def _next(self) -> dict:
        while b"\0" not in self.buffer:
            assert select.select([self.from_browser], [], [], PATIENCE)[0], "the browser is silent"
            chunk = os.read(self.from_browser, 1 << 20)
            assert chunk, "the browser ended"
            self.buffer += chunk
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def until(self, condition: str) -> None:
        """Wait for a condition to be true, however slow the machine is."""
        end = time.monotonic() + PATIENCE
        while not self.js(condition):
            assert time.monotonic() < end, f"did not come true: {condition}"
            time.sleep(0.05)

    def js(self, expression: str) -> object:
        got = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in got, got["exceptionDetails"]
        return got["result"].get("value")

    def open(self, path: Path, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        self.events.clear()
        self.resize(width, height)
        self.media(dark=dark)
        self.call("Page.navigate", url=path.as_uri())
        drawn = "document.documentElement && document.documentElement.dataset.drawn"
        end = time.monotonic() + PATIENCE
        while self.js(drawn) is None:
            assert time.monotonic() < end, f"not drawn: {self.problems()}"
            time.sleep(0.05)

    def resize(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip

    def media(self, dark: bool = False, kind: str = "") -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=kind, features=[scheme])

    def press(self, key: str) -> None:
        code = {"Tab": 9, "Enter": 13}[key]
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind, key=key, code=key, windowsVirtualKeyCode=code,
                **(text if kind == "keyDown" else {}),
            )  # fmt: skip

    def screenshot(self, whole: bool = False) -> bytes:
        got = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(got["data"])

    def pdf(self) -> bytes:
        return base64.b64decode(self.call("Page.printToPDF", printBackground=False)["data"])

    def problems(self) -> list[str]:
        """Everything that a console would show in yellow or red."""
        said = []
        for event in self.events:
            params = event.get("params", {})
            if event.get("method") == "Runtime.exceptionThrown":
                said.append(json.dumps(params["exceptionDetails"])[:500])
            if event.get("method") == "Runtime.consoleAPICalled" and params["type"] != "log":
                said.append(json.dumps(params["args"])[:500])
            if event.get("method") == "Log.entryAdded":
                said.append(params["entry"]["text"][:500])
        return said

    def requests(self) -> list[str]:
        """Addresses asked for beyond the page itself; data that the page holds are no request."""
        asked = [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]
        return [url for url in asked[1:] if not url.startswith("data:")]


@contextmanager
def browser(program: str):
    """Start Chromium with a fresh profile and give its one page."""
    to_browser_end, to_browser = os.pipe()
    from_browser, from_browser_end = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        ends = (str(to_browser_end), str(from_browser_end))
        process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, *ends, program, *FLAGS, f"--user-data-dir={profile}"],
            pass_fds=(to_browser_end, from_browser_end),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": profile},
        )
        os.close(to_browser_end)
        os.close(from_browser_end)
        try:
            page = Page(to_browser, from_browser)
            with tab(page):
                yield page
        finally:
            process.terminate()
            try:
                process.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            os.close(to_browser)
            os.close(from_browser)


@contextmanager
def tab(page: Page):
    """Open a tab in front of the others; what is sent goes to it until it is closed."""
    before, page.session = page.session, ""
    target = page.call("Target.createTarget", url="about:blank")["targetId"]
    page.session = page.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
        page.call(f"{domain}.enable")
    page.call("Page.bringToFront")
    # A tab behind others or in a window without the focus hears of no focus and draws no frames.
    page.call("Emulation.setFocusEmulationEnabled", enabled=True)
    try:
        yield
    finally:
        page.session = ""
        page.call("Target.closeTarget", targetId=target)
        page.session = before
