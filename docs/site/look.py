"""Opens the site in a real browser: reads it light and dark, follows a search, and says what it saw (JSON).

    python3 docs/site/look.py chromium-headless-shell target/site/html [FOLDER FOR PICTURES]
"""

import base64
import functools
import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

PATIENCE_S = 120


class Browser:
    """Chromium, spoken to over its debugging pipe: messages of JSON, each ended by a zero byte."""

    def __init__(self, program):
        to_browser, self.into = os.pipe()
        self.out, from_browser = os.pipe()
        self.profile = tempfile.TemporaryDirectory()
        options = ["--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe"]
        options.append(f"--user-data-dir={self.profile.name}")
        # The browser reads from 3 and writes to 4.
        script = f'exec 3<&{to_browser} 4>&{from_browser}; exec "$@"'
        self.process = subprocess.Popen(
            ["bash", "-c", script, "browser", program, *options],
            pass_fds=(to_browser, from_browser),
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self.number = 0
        self.rest = b""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    session = None

    def ask(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.into, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def read(self):
        while b"\0" not in self.rest:
            piece = os.read(self.out, 65536)
            if not piece:
                raise RuntimeError("the browser has gone")
            self.rest += piece
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def value(self, expression):
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    def wait(self, expression):
        """The value of an expression, once it is one."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            value = self.value(expression)
            if value:
                return value
            time.sleep(0.1)
        raise RuntimeError(f"nothing in {PATIENCE_S} s: {expression}")

    def open(self, url, width=1100, scheme="light"):
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 600)
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.ask("Page.navigate", url=url)
        self.wait(f"document.readyState === 'complete' && location.href === {json.dumps(url)}")

    def picture(self, path):
        data = self.ask("Page.captureScreenshot")["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))

    def close(self):
        self.process.kill()
        self.process.wait()
        self.profile.cleanup()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def look(browser, root, pictures):
    seen = {}

    def keep(name):
        if pictures:
            browser.picture(os.path.join(pictures, f"{name}.png"))

    for scheme in ["light", "dark"]:
        # The choice of a reader is kept by the browser; nobody has chosen yet.
        browser.open(f"{root}/gate/", scheme=scheme)
        seen[scheme] = browser.wait("getComputedStyle(document.body).backgroundColor")
        keep(scheme)
    browser.open(f"{root}/", width=390)
    seen["wider_than_a_phone"] = browser.value("document.documentElement.scrollWidth > 390")
    seen["title"] = browser.value("document.title")
    keep("phone")
    browser.open(f"{root}/")
    browser.value("document.querySelector('.md-search__input').focus()")
    browser.ask("Input.insertText", text="pg_monitor")
    results = "[...document.querySelectorAll('.md-search-result__link')].map(a => a.getAttribute('href'))"
    seen["found"] = browser.wait(f"(() => {{ const found = {results}; return found.length && found; }})()")
    keep("search")
    seen["elsewhere"] = browser.value(
        "performance.getEntriesByType('resource').map(r => r.name).filter(n => !n.startsWith(location.origin))"
    )
    return seen


def main(program, folder, pictures=None):
    serve = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = Browser(program)
        try:
            print(json.dumps(look(browser, f"http://127.0.0.1:{server.server_port}", pictures), indent=1))
        finally:
            browser.close()
            server.shutdown()


main(*sys.argv[1:])
