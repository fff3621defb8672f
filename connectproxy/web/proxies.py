"""
Which proxies lead to an origin: by its scheme, but for exceptions.

The variables of the environment are those that curl, Python and most others read.  Where one
is there in both cases the lower one counts; an empty one counts as missing.  C{HTTP_PROXY} in
capitals is what a web server makes of a client's C{Proxy} field when it starts a CGI program,
and so is left aside where C{REQUEST_METHOD} says that this is one
(U{https://httpoxy.org/}).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from connectproxy.endpoints import ProxyURL
from connectproxy.endpoints.chain import proxyURLs
from connectproxy.web.exceptions import Exceptions

__all__ = ["Chain", "Proxies"]

Chain = tuple[ProxyURL, ...]
"""One proxy after the other; none for the way without."""

_PLAIN = {"http": "http", "ws": "http", "https": "https", "wss": "https"}
"""The scheme by which proxies are chosen: a WebSocket is like what it begins as."""

_URLs = str | ProxyURL | Sequence[str | ProxyURL] | None


class Proxies:
    """
    The choice of proxies.
    """

    def __init__(self, http: _URLs = None, https: _URLs = None, exceptions: str = "") -> None:
        """
        @param http: for origins without TLS: the URL of a proxy, or several, each of which is
            reached through those before it; L{None} for none.
        @param https: for origins with TLS, likewise.
        @param exceptions: the origins that are reached without, as C{NO_PROXY} lists them.
        @raise ValueError: one of the URLs is none.
        """
        self._chains: dict[str, Chain] = {
            scheme: () if urls is None else proxyURLs(urls)
            for scheme, urls in (("http", http), ("https", https))
        }
        self._exceptions = Exceptions(exceptions)

    @classmethod
    def fromEnvironment(cls, environment: Mapping[str, str] | None = None) -> Proxies:
        """
        Read C{http_proxy}, C{https_proxy}, C{all_proxy} and C{no_proxy}, and the same in
        capitals.

        @param environment: the variables; by default those of the process.
        @raise ValueError: one of them is not the URL of a proxy: which, and not what it is.
        """
        variables = os.environ if environment is None else environment

        def first(*names: str) -> tuple[str, str]:
            return next(((name, variables[name]) for name in names if variables.get(name)), ("", ""))

        def chain(*names: str) -> Chain | None:
            name, value = first(*names)
            try:
                return proxyURLs(value) if value else None
            except ValueError as error:
                raise ValueError(f"{name} in the environment: {error}") from None

        http = ("http_proxy",) if "REQUEST_METHOD" in variables else ("http_proxy", "HTTP_PROXY")
        both = ("all_proxy", "ALL_PROXY")
        return cls(
            chain(*http, *both), chain("https_proxy", "HTTPS_PROXY", *both), first("no_proxy", "NO_PROXY")[1]
        )

    def chainFor(self, scheme: str, host: str, port: int) -> Chain:
        """
        The proxies for an origin.

        @param scheme: C{"http"}, C{"https"}, C{"ws"} or C{"wss"}.
        @param host: a name or an address, without brackets.
        @return: none, where it is reached without.
        """
        chain = self._chains.get(_PLAIN.get(scheme, ""), ())
        return () if chain and self._exceptions.matches(host, port) else chain

    def __repr__(self) -> str:
        """Without credentials."""
        return f"<{type(self).__name__} {self._chains} but {self._exceptions}>"
