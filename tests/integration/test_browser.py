"""
A page in Chromium.
"""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.integration.case import ProxyTestCase
from tests.integration.origins import Web
from tests.integration.running import environment

pytestmark = pytest.mark.integration

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
"""What it is called; Debian's name first."""

PICTURES = 24

PAGE = """<!doctype html>
<title>not loaded</title>
<link rel="stylesheet" href="/style.css">
<p id="result">nothing</p>
{pictures}
<script src="/script.js"></script>
"""

SCRIPT = """
window.addEventListener("load", () => {
  const loaded = [...document.images].filter((image) => image.complete && image.naturalWidth === 7).length;
  const styled = getComputedStyle(document.getElementById("result")).color;
  document.getElementById("result").textContent = `${loaded} pictures, ${styled}`;
});
"""

PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="7" height="7"></svg>'

SECONDS = 120
"""A way out: a browser takes its time to start."""


class ChromiumTests(ProxyTestCase):
    """
    Chromium without a window.
    """

    def chromium(self, url: str) -> str:
        """
        Load a page.

        @return: the document as it is then.
        """
        directory = self.temporary()
        program = next(filter(shutil.which, PROGRAMS), PROGRAMS[0])
        command = [
            *(program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *(
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
            ),
            *("--disable-sync", "--disable-extensions", "--disable-breakpad", "--password-store=basic"),
            *(
                f"--user-data-dir={directory}",
                "--ignore-certificate-errors",
                f"--proxy-server={self.proxy.url}",
            ),
            # Or it would not ask a proxy for this machine's own addresses.
            *("--proxy-bypass-list=<-loopback>", "--dump-dom", url),
        ]
        with (directory / "errors").open("wb") as errors:
            done = subprocess.run(
                command,
                cwd=directory,
                env=environment(HOME=str(directory)),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                timeout=SECONDS,
                check=False,
            )
        self.assertEqual(done.returncode, 0, (directory / "errors").read_text(errors="replace"))
        return done.stdout.decode()

    def test_page(self) -> None:
        """
        A page with a style sheet, a script and pictures loads over HTTPS, by tunnels only; one
        picture in it that is refused does no harm to the others.
        """
        pictures = "".join(f'<img src="/{number}.svg">' for number in range(PICTURES))
        page = PAGE.format(pictures=pictures + '<img src="https://10.0.0.1/picture.svg">')
        pages = {"/page.html": page, "/style.css": "p { color: rgb(1, 2, 3) }", "/script.js": SCRIPT}
        pages |= {f"/{number}.svg": PICTURE for number in range(PICTURES)}
        web = self.closing(Web({path: text.encode() for path, text in pages.items()}))
        self.assertIn(f"{PICTURES} pictures, rgb(1, 2, 3)", self.chromium(f"{web.url}/page.html"))
        self.proxy.waitForEvents(2)
        events = self.proxy.events()
        tunnels = [each for each in events if each["target"] == web.address]
        self.assertEqual({(each["event"], each["status"]) for each in tunnels}, {("tunnel", 200)})
        self.assertGreater(sum(each["bytes_down"] for each in tunnels), PICTURES * len(PICTURE))
        refused = [each for each in events if each["target"] == "10.0.0.1:443"]
        self.assertEqual({each["error"] for each in refused}, {"destination_ip_prohibited"})
