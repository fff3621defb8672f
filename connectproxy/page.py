"""
What the proxy says to who takes it for a web server: what it is, and how to use it.

There are two resources: the page, and C{/proxy.pac}, which tells a browser to use the
proxy (a function C{FindProxyForURL} in JavaScript).  Neither asks who wants to know:
a browser fetches the PAC file before it knows that there is a proxy to authenticate
to, and what is in them the client knew before, for it is the address that it reached.

The address is taken from the Host field, or from HTTP/2's C{:authority}, as a client
behind NAT knows the proxy by no other, but only if it is one that could be dialled; and it
is escaped nevertheless.

Knows no version of HTTP: a request in origin form is for the proxy (RFC 9112 section
3.2.1), and where there is no such form L{isOwn} tells.
"""

from __future__ import annotations

import html
from ipaddress import ip_address
from typing import Any

from connectproxy.address import Destination, canonical, parseAuthority

__all__ = ["ALLOW", "PAC", "isOwn", "page", "readHost"]

ALLOW = "CONNECT, DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
"""What the proxy serves, as far as it can be listed: of methods that nobody knows here, all are forwarded."""

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


def page(method: str, path: bytes, host: bytes, reached: Any, secure: bool, identifier: str) -> _Answer:
    """
    Answer a request for the proxy itself.

    @param path: path and query, as they came.
    @param host: what the client calls the proxy: the value of a Host field or of
        C{:authority}, valid as such; empty if there is none.
    @param reached: the proxy's end of the client's connection, an
        L{IAddress<twisted.internet.interfaces.IAddress>}; it names the proxy where
        C{host} does not.
    @param secure: whether the client speaks TLS to the proxy.
    @param identifier: what the proxy calls itself.
    @return: a status, its reason, fields and the body as the answer to a GET has it.
    """
    where = str(readHost(host, secure) or _shown(reached))
    path = path.partition(b"?")[0]
    if method not in ("GET", "HEAD"):
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


def readHost(host: bytes, secure: bool) -> Destination | None:
    """
    Read what a client calls the proxy; a port that is missing is the scheme's.

    @return: L{None} for what nobody could dial.
    """
    for authority in (host, b"%b:%d" % (host, 443 if secure else 80)):
        destination = parseAuthority(authority)
        if isinstance(destination, Destination):
            return destination
    return None


def isOwn(destination: Destination, reached: Any, serverName: bytes | None = None) -> bool:
    """
    Whether a destination is what the client itself has connected to.

    That is so for the address and the port at the proxy's end of the connection; for
    C{localhost} where that is a loopback address (RFC 6761 section 6.3); and for the name
    that the client has asked for in TLS.  By any other name, and from behind NAT by any
    other address or port, it can't be known: what that leads to may be somebody else.

    @param reached: see L{page}.
    @param serverName: the name in the client's TLS handshake (RFC 6066 section 3).
    """
    if destination.port != getattr(reached, "port", None):
        return False
    own = canonical(ip_address(reached.host))
    if destination.ip is not None:
        return destination.ip == own
    if serverName is not None and destination.host == serverName.decode("latin-1").lower():
        return True
    return destination.host == "localhost" and own.is_loopback


def _shown(reached: Any) -> str:
    """
    An address of the proxy's: host and port.
    """
    name, port = getattr(reached, "host", None), getattr(reached, "port", None)
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
