"""
A page in Chromium.
"""

from __future__ import annotations

import pytest

from tests.integration.browser import PICTURE, BrowserCase
from tests.integration.origins import Web
from tests.integration.program import NEAR

pytestmark = pytest.mark.integration

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


class ChromiumTests(BrowserCase):
    """
    Chromium without a window.
    """

    arguments = NEAR

    def test_page(self) -> None:
        """
        A page with a style sheet, a script and pictures loads over HTTPS, by tunnels only; one
        picture in it that is refused does no harm to the others.
        """
        pictures = "".join(f'<img src="/{number}.svg">' for number in range(PICTURES))
        page = PAGE.format(pictures=pictures + '<img src="https://10.0.0.1:8443/picture.svg">')
        pages = {"/page.html": page, "/style.css": "p { color: rgb(1, 2, 3) }", "/script.js": SCRIPT}
        pages |= {f"/{number}.svg": PICTURE for number in range(PICTURES)}
        web = self.closing(Web({path: text.encode() for path, text in pages.items()}))
        self.assertIn(
            f"{PICTURES} pictures, rgb(1, 2, 3)", self.chromium(f"{web.url}/page.html", self.proxy.url)
        )
        self.proxy.waitForEvents(2)
        events = self.proxy.events()
        tunnels = [each for each in events if each["target"] == web.address]
        self.assertEqual({(each["event"], each["status"]) for each in tunnels}, {("tunnel", 200)})
        self.assertGreater(sum(each["bytes_down"] for each in tunnels), PICTURES * len(PICTURE))
        refused = [each for each in events if each["target"] == "10.0.0.1:8443"]
        self.assertEqual({each["error"] for each in refused}, {"destination_ip_prohibited"})
