"""
For each parser a function that feeds it one input and raises if anything is wrong: if
the parser raises, if its verdict depends on how the octets were cut, if what it takes
can't be written and read again, or if what it says is not fit for a log.

An input is what L{tests.fuzz.feeding.Case} takes apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from connectproxy.address import Destination, parseAuthority, parseHost, validHostField
from connectproxy.errors import Refusal
from connectproxy.wire.http2 import (
    PREFACE,
    formatData,
    formatFrame,
    formatGoAway,
    formatHeaders,
    formatReset,
    formatSettings,
    formatWindowUpdate,
)
from connectproxy.wire.proxyheader import formatBlock
from tests.fuzz import frames, handshakes, messages
from tests.fuzz.feeding import HEAD, Case, check, fit

__all__ = ["TARGETS", "Target"]


class Target(NamedTuple):
    """
    What there is to fuzz a parser with.

    @ivar run: feeds one input.
    @ivar words: octets that mean something to the parser.
    @ivar seeds: inputs to begin with.
    """

    run: Callable[[bytes], None]
    words: tuple[bytes, ...]
    seeds: tuple[bytes, ...]


def authority(octets: bytes) -> None:
    """
    The target of a CONNECT, the name in a SOCKS request, and the value of a Host field.
    """
    case = Case(octets)
    validHostField(case.octets)
    port = int.from_bytes(octets[1:3]) - 100
    for found in (parseAuthority(case.octets), parseHost(case.octets.decode("latin-1"), port)):
        if isinstance(found, Refusal):
            fit(found)
            continue
        again = parseAuthority(str(found).encode())
        check(isinstance(again, Destination) and again[:2] == found[:2], again, found)


def _seeds(*octets: bytes, choices: Iterable[int] = (0,)) -> tuple[bytes, ...]:
    """Inputs with the same octets, for each of some choices of the target's."""
    return tuple(bytes([choice, 0, 3, 0, 17]) + each for each in octets for choice in choices)


assert HEAD == len(_seeds(b"")[0])

_REQUESTS = _seeds(
    b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nProxy-Authorization: Basic YTpi\r\n\r\n\x16\x03\x01",
    b"GET http://a.example/b?c HTTP/1.1\r\nHost: a.example\r\nConnection: keep-alive, x-a\r\nX-A: 1\r\nTE: b\r\n\r\n",
    b"POST http://[2001:db8::1]:8080 HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\nContent-Length: 3\r\n\r\nabc",
    b"\r\nPUT HTTP://a.example:/ HTTP/1.0\r\nExpect: 100-continue\r\nCookie: a=b\r\nVia: 1.1 fuzzed, 1.0 b\r\nContent-Length: 0\r\n\r\n",
    b"OPTIONS http://a.example HTTP/1.1\r\nHost: a.example\r\nMax-Forwards: 1\r\nExpect: 100-continue\r\n\r\n",
    b"GET http://a/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"POST http://a/ HTTP/1.1\r\nhost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
    choices=(0, 1),
)
_RESPONSES = _seeds(
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nServer: a\r\nConnection: close\r\n\r\nabc",
    b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\nTrailer: a\r\nSet-Cookie: a=b\r\nSet-Cookie: c\r\n\r\n3\r\nabc\r\n",
    b"HTTP/1.0 304 Not Modified\r\nDate: Mon, 23 Nov 2026 00:00:00 GMT\r\nContent-Length: 9\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x01a",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 204 No Content\r\nVia: 1.1 b\r\n\r\n",
    choices=(0, 1, 2, 12),
)
_HTTP_WORDS = (
    b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"HTTP/1.1", b"HTTP/1.0", b"CONNECT", b"GET",
    b"OPTIONS", b"http://", b"Host: ", b"Connection: ", b"close", b"keep-alive", b"Upgrade: ", b"websocket",
    b"Transfer-Encoding: ", b"chunked", b"Content-Length: ", b"Expect: 100-continue", b"Via: 1.1 fuzzed",
    b"Max-Forwards: ", b"TE: trailers", b"Trailer: ", b"Proxy-Authorization: Basic ", b"@", b"#", b"?", b"\x80",
)  # fmt: skip
_SOCKS_WORDS = (
    b"\x05", b"\x04", b"\x01", b"\x02", b"\x03", b"\0", b"\xff", b"\0\0\0\x01", b"a.example", b"::1", b"[::1]",
    b"127.0.0.1", b"127.1", b"0x7f", b"%", b"\x01\xbb",
)  # fmt: skip
_NAMED = b"\x03\x09a.example\x01\xbb"
_IPV4 = b"\x01\xc0\x00\x02\x01\x00P"
_IPV6 = b"\x04\x20\x01\x0d\xb8" + bytes(11) + b"\x01\x00P"
_ENDS = b"\xc0\0\2\1\xc6\x33\x64\2\xdc\4\1\xbb"
_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"

_GET = b":method\x1fGET\x1e:scheme\x1fhttp\x1e:authority\x1fa.example\x1e:path\x1f/b"

TARGETS: Mapping[str, Target] = {
    "authority": Target(
        authority,
        (
            b".",
            b":",
            b"[",
            b"]",
            b"::",
            b"443",
            b"65536",
            b"0x7f",
            b"%41",
            b"@",
            b"xn--",
            b"1.2.3.4",
            b"\xe9",
        ),
        _seeds(
            b"a.example:443", b"A.example.:80", b"192.0.2.1:1", b"[2001:db8::1]:443", b"127.1:80", b"u:p@a:1"
        ),
    ),
    "authorization": Target(
        messages.authorization,
        (b"Basic ", b"basic ", b"=", b"==", b"Digest ", b"Og", b"Og==", b"YTpi", b"w6k6w6k="),
        _seeds(b"Basic YTpi", b"basic  QWxhZGRpbjpvcGVuIHNlc2FtZQ==", b"Basic w6k6w6k=", b'Digest realm="a"'),
    ),
    "body": Target(
        messages.body,
        (
            b"\r\n",
            b"0\r\n\r\n",
            b"0\r\n",
            b"\n",
            b";",
            b"=",
            b'"',
            b"\\",
            b"fffffffffffffffff",
            b"7fffffffffffffff",
            b"a: b\r\n",
        ),
        _seeds(
            b"3\r\nabc\r\n0\r\n\r\nGET /",
            b'00A;b=c;d="e\\""\r\n0123456789\r\n0;x\r\nX-Sum: 1\r\nContent-Length: 5\r\n\r\nrest',
            b"1\r\na\r\n1\r\nb\r\n1f\r\n" + bytes(31) + b"\r\n000\r\n\r\n",
            choices=(0, 1, 0x12, 0x30, 3, 9),
        ),
    ),
    "credentials": Target(
        handshakes.credentials,
        _SOCKS_WORDS,
        _seeds(b"\x01\x01u\x01p\x05\x01", b"\x01\x03\xc3\xa9u\x02\xff\xfe"),
    ),
    "datagram": Target(
        handshakes.datagram,
        _SOCKS_WORDS,
        _seeds(*(b"\0\0\0" + field + b"payload" for field in (_NAMED, _IPV4, _IPV6))),
    ),
    "fields": Target(
        frames.fields,
        (
            b"\x1e",
            b"\x1f",
            b":method",
            b":path",
            b":protocol",
            b"CONNECT",
            b"websocket",
            b"host",
            b"cookie",
            b"te",
            b"trailers",
            b"content-length",
            b"connection",
            b"transfer-encoding",
            b"\r\n",
            b"\0",
            b" ",
            b":80",
            b"A",
        ),
        _seeds(
            _GET,
            _GET + b"\x1ecookie\x1fa=b\x1ecookie\x1fc\x1eaccept\x1f*/*\x1ehost\x1fa.example",
            _GET.replace(b"GET", b"POST") + b"\x1econtent-length\x1f5\x1ete\x1ftrailers\x1ex\x1f",
            b":method\x1fCONNECT\x1e:authority\x1fa.example:443\x1euser-agent\x1fb",
            b":method\x1fCONNECT\x1e:protocol\x1fwebsocket\x1e:scheme\x1fhttp\x1e:authority\x1fa\x1e:path\x1f/",
            choices=(0, 1),
        ),
    ),
    "forwarding": Target(messages.forwarding, _HTTP_WORDS, _REQUESTS),
    "frames": Target(
        frames.frames,
        (
            PREFACE,
            b"\0\0\0\4\0\0\0\0\0",
            b"\0\0\4\3\0\0\0\0\1",
            b"\0\x40\1",
            b"\0\0\1",
            b"\x0c",
            b"\x2d",
            b"\x80\0\0\1",
        ),
        _seeds(
            formatSettings({3: 100, 4: 65535, 2: 0}) + formatWindowUpdate(0, 1 << 20),
            formatHeaders(1, b"\x82\x84\x87", 2) + formatData(1, b"abcdef", 4, end=True) + formatReset(1, 8),
            b"\0\0\5\0\x09\0\0\0\1\2ab\0\0"
            + b"\0\0\x09\1\x2c\0\0\0\3\1\0\0\0\0\x10\x82\x84\0"
            + formatData(3, b"", 4, end=True),
            formatGoAway(0, 0, "bye") + formatFrame(6, 0, 0, bytes(8)) + formatFrame(2, 0, 5, bytes(5)),
        )
        + _seeds(PREFACE + formatSettings({}), choices=(1,)),
    ),
    "greeting": Target(
        handshakes.greeting,
        _SOCKS_WORDS,
        _seeds(b"\x05\x01\x00\x05\x01\x00", b"\x05\x03\x00\x01\x02", b"\x05\x00"),
    ),
    "hop": Target(
        handshakes.hop,
        _SOCKS_WORDS,
        _seeds(
            b"\x05\x02\x01",
            b"\x01\x00\x05",
            b"\x05\0\0" + _IPV4,
            b"\x05\0\0" + _NAMED,
            b"\0\x5a\0P\xc0\0\2\1x",
            choices=range(4),
        ),
    ),
    "proxyheader": Target(
        handshakes.proxyheader,
        (
            b"PROXY ",
            b"TCP4 ",
            b"TCP6 ",
            b"UNKNOWN",
            b"\r\n",
            _SIGNATURE,
            b"\x21\x11",
            b"\x20\x00",
            b"\x03\0\4",
            b"\x20\0\5",
            b"::ffff:",
            b"65536",
        ),
        _seeds(
            b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\nGET /",
            b"PROXY TCP6 2001:db8::1 ::ffff:192.0.2.1 1 65535\r\n",
            b"PROXY UNKNOWN ::1 ::1 1 2\r\n",
            _SIGNATURE + b"\x21\x11\0\x0c" + _ENDS + b"behind",
            _SIGNATURE + b"\x21\x11\0\x24" + _ENDS + b"\x20\0\x0d\7\0\0\0\0\x21\0\5TLSv1\xe0\0\2ab\4\0\0",
            _SIGNATURE + b"\x21\x21\0\x24" + bytes(36),
            _SIGNATURE + b"\x20\0\0\0",
            formatBlock(),
        ),
    ),
    "request": Target(messages.request, _HTTP_WORDS, _REQUESTS),
    "response": Target(messages.response, _HTTP_WORDS, _RESPONSES),
    "returning": Target(messages.returning, _HTTP_WORDS, _RESPONSES),
    "socks4": Target(
        handshakes.socks4,
        _SOCKS_WORDS,
        _seeds(
            b"\x04\x01\x00P\xc0\0\2\1me\0early",
            b"\x04\x01\x01\xbb\0\0\0\1\0a.example\0",
            b"\x04\x02\0\0\0\0\0\7\0[::1]\0",
        ),
    ),
    "socks5": Target(
        handshakes.socks5,
        _SOCKS_WORDS,
        _seeds(
            *(
                b"\x05" + bytes([command]) + b"\0" + field
                for command, field in ((1, _NAMED), (1, _IPV4), (1, _IPV6), (3, _IPV4))
            )
        ),
    ),
}
"""By the names that C{scripts/fuzz} takes."""
