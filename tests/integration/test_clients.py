"""
The clients that people use: curl, git, openssl, Python and Node.
"""

from __future__ import annotations

import http.client
import random
import ssl
import urllib.request
from pathlib import Path

import pytest
import requests

from tests.integration.origins import Web, authority
from tests.integration.program import PAGE, ProgramTestCase
from tests.integration.running import GUARD, LOCAL

pytestmark = pytest.mark.integration


class ClientTestCase(ProgramTestCase):
    """
    Tests with a program.
    """

    def assertTunnelled(self, web: Web, count: int = 1) -> None:
        """
        Whatever a client got came by so many tunnels and not past the proxy.
        """
        self.proxy.waitForEvents(count)
        events = {(each["event"], each["target"], each["status"]) for each in self.proxy.events()}
        self.assertEqual(events, {("tunnel", web.address, 200)})


class CurlTests(ClientTestCase):
    """
    curl.
    """

    def curl(self, *words: str | Path, **more: int | str) -> bytes:
        """
        Run curl without anybody's own settings.
        """
        return self.command("curl", "-q", "-sS", "--cacert", authority().certificate, *words, **more)

    def test_https(self) -> None:
        """
        A page by HTTPS, its certificate verified end to end.
        """
        web = self.web()
        self.assertEqual(self.curl("-x", self.proxy.url, f"{web.url}/"), PAGE)
        self.assertTunnelled(web)
        self.assertIn("curl/", self.proxy.events()[0]["user_agent"])

    def test_environment(self) -> None:
        """
        The variables that most programs know.
        """
        web = self.web()
        self.assertEqual(self.curl(f"{web.url}/", https_proxy=self.proxy.url), PAGE)
        self.assertEqual(self.curl(f"{web.url}/", ALL_PROXY=self.proxy.url), PAGE)
        self.assertTunnelled(web, 2)

    def test_plainThroughTunnel(self) -> None:
        """
        Plain HTTP goes through a tunnel if the client makes one.
        """
        web = self.web(tls=False)
        self.assertEqual(self.curl("--proxytunnel", f"{web.url}/", http_proxy=self.proxy.url), PAGE)
        self.assertTunnelled(web)

    def test_HTTP10(self) -> None:
        """
        CONNECT by HTTP/1.0.
        """
        web = self.web()
        self.assertEqual(self.curl("--proxy1.0", self.proxy.url, f"{web.url}/"), PAGE)
        self.proxy.waitForEvents(1)
        self.assertEqual([each["protocol"] for each in self.proxy.events()], ["http/1.0"])

    def test_plain(self) -> None:
        """
        A refusal of plain HTTP shows as an ordinary answer, with words that reach the person.
        """
        said = self.curl("-i", "-x", self.proxy.url, "http://10.0.0.1/")
        self.assertIn(b"HTTP/1.1 403 Forbidden\r\n", said)
        self.assertIn(b"What to do: ", said)

    def test_refused(self) -> None:
        """
        A refusal shows: curl's exit status, the status code, and why in the fields.
        """
        said = self.curl("-v", "-x", self.proxy.url, "https://169.254.169.254/latest/meta-data/", status=56)
        self.assertIn(b"< HTTP/1.1 403 Forbidden\r\n", said)
        self.assertIn(b"< Proxy-Status: connectproxy; error=destination_ip_prohibited\r\n", said)
        code = self.curl(
            "-o", "/dev/null", "-w", "%{http_connect}", "-x", self.proxy.url, "https://10.0.0.1/", status=56
        )
        self.assertIn(b"403", code)

    def test_TLSListener(self) -> None:
        """
        The way to the proxy can be TLS too: then the tunnel is TLS in TLS, by the relay that
        serves every transport.
        """
        made = authority()
        proxy = self.launch(
            *LOCAL, listen=(f"ssl:0:interface=127.0.0.1:certKey={made.chain}:privateKey={made.key}",)
        )
        web = self.web()
        options = ("--proxy-cacert", made.certificate, "-x", f"https://localhost:{proxy.port}")
        self.assertEqual(self.curl(*options, f"{web.url}/"), PAGE)
        body = random.Random(1).randbytes(3000000)
        (file := self.temporary() / "body").write_bytes(body)
        self.assertEqual(self.curl(*options, "--data-binary", f"@{file}", f"{web.url}/"), body[::-1])
        said = self.curl("-v", *options, "https://10.0.0.1/", status=56)
        self.assertIn(b"< HTTP/1.1 403 Forbidden\r\n", said)
        proxy.waitForEvents(3)
        self.assertEqual([each["relay"] for each in proxy.events()], ["wired", "wired", None])


class GitTests(ClientTestCase):
    """
    git.
    """

    def git(self, *words: str | Path) -> str:
        """
        Run git without anybody's own settings.
        """
        settings = ("-c", "user.name=a", "-c", "user.email=a@a.example", "-c", "protocol.version=2")
        return self.command(
            "git", *settings, *words, GIT_CONFIG_NOSYSTEM="1", GIT_TERMINAL_PROMPT="0"
        ).decode()

    def test_clone(self) -> None:
        """
        A repository is cloned over HTTPS, and is whole.
        """
        served = self.temporary()
        work, bare, clone = served / "work", served / "repository.git", self.temporary() / "clone"
        self.git("init", "-q", work)
        (work / "blob").write_bytes(random.Random(1).randbytes(5000000))
        self.git("-C", work, "add", "blob")
        self.git("-C", work, "commit", "-q", "-m", "A commit")
        self.git("clone", "-q", "--bare", work, bare)
        self.git("-C", bare, "update-server-info")
        web = self.closing(Web(served))
        self.git(
            *("-c", f"http.proxy={self.proxy.url}", "-c", f"http.sslCAInfo={authority().certificate}"),
            *("clone", "-q", f"{web.url}/repository.git", clone),
        )
        self.git("-C", clone, "fsck", "--strict")
        self.assertEqual(
            self.git("-C", clone, "rev-parse", "HEAD"), self.git("-C", work, "rev-parse", "HEAD")
        )
        self.assertEqual((clone / "blob").read_bytes(), (work / "blob").read_bytes())
        self.assertTunnelled(web)
        self.assertIn("git/", self.proxy.events()[0]["user_agent"])


class OpenSSLTests(ClientTestCase):
    """
    openssl.
    """

    def test_s_client(self) -> None:
        """
        C{openssl s_client -proxy}, as used to look at certificates.
        """
        web = self.web()
        said = self.command(
            *("openssl", "s_client", "-proxy", self.proxy.addresses[0], "-connect", web.address),
            *(
                "-servername",
                "localhost",
                "-CAfile",
                authority().certificate,
                "-verify_return_error",
                "-ign_eof",
            ),
            said=b"GET / HTTP/1.0\r\n\r\n",
        )
        self.assertIn(b"Verify return code: 0 (ok)", said)
        self.assertIn(PAGE, said)
        self.assertTunnelled(web)

    def test_refused(self) -> None:
        """
        A refusal shows.
        """
        said = self.command(
            *("openssl", "s_client", "-proxy", self.proxy.addresses[0], "-connect", "10.0.0.1:443"), status=1
        )
        self.assertIn(b"HTTP CONNECT failed", said)
        self.assertIn(b"403 Forbidden", said)


class PythonTests(ClientTestCase):
    """
    Python: its own modules, and requests.
    """

    def test_requests(self) -> None:
        """
        requests, with one tunnel for several requests.
        """
        web = self.web()
        with requests.Session() as session:
            session.trust_env = False
            session.proxies = {"https": self.proxy.url}
            session.verify = str(authority().certificate)
            self.assertEqual(session.get(f"{web.url}/").content, PAGE)
            body = random.Random(1).randbytes(1000000)
            self.assertEqual(session.post(f"{web.url}/", data=body).content, body[::-1])
        self.assertTunnelled(web)

    def test_requestsRefused(self) -> None:
        """
        requests tells of a refusal as an error of the proxy's.
        """
        with requests.Session() as session:
            session.trust_env = False
            session.proxies = {"https": self.proxy.url}
            with self.assertRaises(requests.exceptions.ProxyError) as caught:
                session.get("https://10.0.0.1/")
        self.assertIn("403 Forbidden", str(caught.exception))

    def test_httpClient(self) -> None:
        """
        C{http.client}, which asks for its tunnel by HTTP/1.0 in some releases.
        """
        web = self.web()
        context = ssl.create_default_context(cafile=str(authority().certificate))
        connection = http.client.HTTPSConnection("127.0.0.1", self.proxy.port, timeout=GUARD, context=context)
        self.addCleanup(connection.close)
        connection.set_tunnel("localhost", web.port)
        connection.request("GET", "/")
        self.assertEqual(connection.getresponse().read(), PAGE)
        connection.close()
        self.assertTunnelled(web)

    def test_urllib(self) -> None:
        """
        C{urllib.request}.
        """
        web = self.web()
        context = ssl.create_default_context(cafile=str(authority().certificate))
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({"https": self.proxy.url}),
            urllib.request.HTTPSHandler(context=context),
        )
        with opener.open(f"{web.url}/", timeout=GUARD) as response:
            self.assertEqual(response.read(), PAGE)
        self.assertTunnelled(web)


NODE = """
const [http, https] = [require("http"), require("https")];
const [host, port, target] = process.argv.slice(1);
const connect = http.request({host, port, method: "CONNECT", path: target});
connect.on("connect", (answer, socket, head) => {
  if (answer.statusCode !== 200) {
    console.log(answer.statusCode, answer.headers["proxy-status"]);
    process.exit(1);
  }
  https.get({socket, agent: false, servername: "localhost", headers: {host: target}}, (response) => {
    response.on("data", (data) => process.stdout.write(data));
  });
});
connect.end();
"""


class NodeTests(ClientTestCase):
    """
    Node.
    """

    def node(self, target: str, **more: int | str) -> bytes:
        """
        Run the script above.
        """
        return self.command(
            *("node", "-e", NODE, "127.0.0.1", str(self.proxy.port), target),
            NODE_EXTRA_CA_CERTS=str(authority().certificate),
            **more,
        )

    def test_https(self) -> None:
        """
        A page by HTTPS over a C{CONNECT} of Node's own.
        """
        web = self.web()
        self.assertEqual(self.node(web.address), PAGE)
        self.assertTunnelled(web)

    def test_refused(self) -> None:
        """
        Node reads the refusal, too.
        """
        said = self.node("10.0.0.1:443", status=1)
        self.assertEqual(said, b"403 connectproxy; error=destination_ip_prohibited\n")
