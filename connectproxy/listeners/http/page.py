"""
What the proxy says to who takes it for a web server: what it is, and how to use it.

There are two resources: the page, and C{/proxy.pac}, which tells a browser to use the
proxy (a function C{FindProxyForURL} in JavaScript).  Neither asks who wants to know:
a browser fetches the PAC file before it knows that there is a proxy to authenticate
to, and what is in them the client knew before, for it is the address that it reached.

The address is taken from the Host field, as a client behind NAT knows the proxy by
no other, but only if it is one that could be dialled; and it is escaped nevertheless.
"""

from __future__ import annotations

import html
from typing import Any

from connectproxy.address import Destination, parseAuthority
from connectproxy.wire.http1 import RequestHead

__all__ = ["PAC", "page"]

PAC = b"/proxy.pac"
"""Where the PAC file is."""

_HTML = "text/html; charset=utf-8"
_SCRIPT = "application/x-ns-proxy-autoconfig"

_FIELDS = (
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'"),
    ("X-Content-Type-Options", "nosniff"),
)

_Answer = tuple[int, str, list[tuple[str, str]], bytes]


def page(head: RequestHead, transport: Any, secure: bool, identifier: str) -> _Answer:
    """
    Answer a request whose target is in origin form.

    @param transport: the client's; its own end names the proxy where the Host field
        does not.
    @param secure: whether the client speaks TLS to the proxy.
    @param identifier: what the proxy calls itself.
    @return: a status, its reason, fields and a body.
    """
    where = _reached(head, transport, secure)
    path = head.target.partition(b"?")[0]
    if head.method not in ("GET", "HEAD"):
        answer = 405, "Method Not Allowed", [("Allow", "GET, HEAD")]
    elif path == PAC:
        fields = [("Content-Type", _SCRIPT), *_FIELDS]
        return 200, "OK", fields, _script(where, secure).encode("ascii")
    elif path == b"/":
        answer = 200, "OK", []
    else:
        answer = 404, "Not Found", []
    status, reason, more = answer
    body = _page(where, secure, identifier, f"{status} {reason}").encode("utf-8")
    return status, reason, [("Content-Type", _HTML), *_FIELDS, *more], body


def _reached(head: RequestHead, transport: Any, secure: bool) -> str:
    """
    The address by which the client has reached the proxy: host and port.
    """
    usual = 443 if secure else 80
    for host in head.values(b"host"):
        for authority in (host, b"%b:%d" % (host, usual)):
            destination = parseAuthority(authority)
            if isinstance(destination, Destination):
                return str(destination)
    address = transport.getHost()
    name, port = getattr(address, "host", None), getattr(address, "port", None)
    if name is None:
        return "localhost:8080"  # a UNIX socket, which no client can be told
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def _script(where: str, secure: bool) -> str:
    """The PAC file."""
    ways = f"{'HTTPS' if secure else 'PROXY'} {where}"
    if not secure:
        ways += f"; SOCKS5 {where}"
    return f"""\
function FindProxyForURL(url, host) {{
  if (isPlainHostName(host) || host === "127.0.0.1" || host === "[::1]") return "DIRECT";
  return "{ways}";
}}
"""


def _page(where: str, secure: bool, identifier: str, status: str) -> str:
    """The page."""
    scheme = "https" if secure else "http"
    url = html.escape(f"{scheme}://{where}")
    name = html.escape(identifier)
    note = "" if status.startswith("200") else f"<p><strong>{status}</strong>: here is only this page.</p>\n"
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{name}: a forward proxy</title></head>
<body>
<h1>{name}</h1>
{note}<p>This is a forward proxy, not a web site. It connects you to others: tell your program to use it.</p>
<p>curl:</p>
<pre>curl -x {url} https://example.com/</pre>
<p>Most programs on the command line:</p>
<pre>export http_proxy={url} https_proxy={url} no_proxy=localhost,127.0.0.1</pre>
<p>A browser takes the address of a PAC file in its settings:</p>
<pre>{url}/proxy.pac</pre>
<p>If it asks for a name and a password, they are those of the proxy: {scheme}://user:password@{html.escape(where)}</p>
</body>
</html>
"""
