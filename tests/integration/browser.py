"""
Chromium without a window, and its remote control where somebody has to log in.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.integration.origins import authority
from tests.integration.program import ProgramTestCase
from tests.integration.running import environment, waitFor

__all__ = ["PICTURE", "BrowserCase"]

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
"""What it is called; Debian's name first."""

PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="7" height="7"></svg>'

SECONDS = 120
"""A way out: a browser takes its time to start."""

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-breakpad",
    "--password-store=basic",
    # Or it would not ask a proxy for this machine's own addresses.
    "--proxy-bypass-list=<-loopback>",
)


class BrowserCase(ProgramTestCase):
    """
    Tests with Chromium.
    """

    def trust(self, home: Path) -> None:
        """
        Have Chromium trust the tests' authority, as its user would: by way of NSS.
        """
        store = home / ".pki" / "nssdb"
        store.mkdir(parents=True)
        self.command("certutil", "-N", "-d", f"sql:{store}", "--empty-password")
        made = authority().certificate
        self.command("certutil", "-A", "-d", f"sql:{store}", "-n", "tests", "-t", "C,,", "-i", made)

    def start(self, home: Path, proxy: str, *words: str) -> subprocess.Popen[bytes]:
        """
        Start Chromium.

        @param home: an empty directory, for it alone.
        @param proxy: the proxy, as Chromium is told.
        """
        self.trust(home)
        program = next(filter(shutil.which, PROGRAMS), PROGRAMS[0])
        with (home / "errors").open("wb") as errors:
            return subprocess.Popen(
                [program, *OPTIONS, f"--user-data-dir={home}", f"--proxy-server={proxy}", *words],
                cwd=home,
                env=environment(HOME=str(home)),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
            )

    def chromium(self, url: str, proxy: str) -> str:
        """
        Load a page.

        @return: the document as it is then.
        """
        home = self.temporary()
        process = self.start(home, proxy, "--dump-dom", url)
        self.addCleanup(process.kill)
        shown = process.communicate(timeout=SECONDS)[0]
        self.assertEqual(process.returncode, 0, (home / "errors").read_text(errors="replace"))
        return shown.decode()

    @contextmanager
    def controlled(self, proxy: str) -> Iterator[ClientConnection]:
        """
        Start Chromium with one empty page, and end it.

        @return: the page's end of the DevTools protocol.
        """
        home = self.temporary()
        process = self.start(home, proxy, "--remote-debugging-port=0", "about:blank")
        try:
            file = home / "DevToolsActivePort"
            port = waitFor(lambda: file.exists() and file.read_text().partition("\n")[0], "DevTools")
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = [each for each in json.load(answer) if each["type"] == "page"]
            with connect(pages[0]["webSocketDebuggerUrl"], proxy=None, max_size=None) as devtools:
                yield devtools
                devtools.send(json.dumps({"id": 0, "method": "Browser.close"}))
            process.communicate(timeout=SECONDS)
        finally:
            process.kill()
            process.communicate()

    def login(self, url: str, proxy: str, user: str, password: str) -> tuple[str, list[dict[str, Any]]]:
        """
        Load a page, and give a name and a password whenever the proxy asks for them.

        @return: the document as it is then, and what was asked.
        """
        asked: list[dict[str, Any]] = []
        numbers = count(1)
        with self.controlled(proxy) as devtools:

            def say(method: str, **words: Any) -> int:
                devtools.send(
                    json.dumps({"id": (number := next(numbers)), "method": method, "params": words})
                )
                return number

            say("Page.enable")
            say("Fetch.enable", handleAuthRequests=True)
            navigate = say("Page.navigate", url=url)
            arrived, document = False, None
            while True:
                said = json.loads(devtools.recv(SECONDS))
                method, words = said.get("method"), said.get("params", {})
                if method == "Fetch.requestPaused":
                    say("Fetch.continueRequest", requestId=words["requestId"])
                elif method == "Fetch.authRequired":
                    asked.append(words["authChallenge"])
                    given = {"response": "ProvideCredentials", "username": user, "password": password}
                    say("Fetch.continueWithAuth", requestId=words["requestId"], authChallengeResponse=given)
                elif said.get("id") == navigate:
                    arrived = True
                elif method == "Page.loadEventFired" and arrived:
                    document = say("Runtime.evaluate", expression="document.documentElement.outerHTML")
                elif document is not None and said.get("id") == document:
                    return said["result"]["result"]["value"], asked
