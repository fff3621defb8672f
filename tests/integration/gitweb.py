"""
A server of git repositories by HTTP, as C{git http-backend} makes one of any web server.
"""

from __future__ import annotations

import subprocess
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from tests.integration.origins import Authority, Web, readBody
from tests.integration.running import GUARD, environment

__all__ = ["GitWeb"]

PIECE = 50000
"""Octets in a chunk."""


class _Request(BaseHTTPRequestHandler):
    """
    Has git answer (RFC 3875), in chunks; takes bodies in chunks, too.
    """

    protocol_version = "HTTP/1.1"
    timeout = GUARD

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        body = readBody(self)
        server: Any = self.server
        fields = {
            name: self.headers.get(name, "") for name in ("Content-Type", "Content-Encoding", "Git-Protocol")
        }
        done = subprocess.run(
            ["git", "-c", "http.receivepack=true", "-c", "safe.directory=*", "http-backend"],
            input=body,
            stdout=subprocess.PIPE,
            env=environment(
                HOME="/nonexistent",
                GIT_CONFIG_NOSYSTEM="1",
                GIT_HTTP_EXPORT_ALL="1",
                GIT_PROJECT_ROOT=str(server.pages),
                PATH_INFO=path,
                QUERY_STRING=query,
                REQUEST_METHOD=self.command,
                CONTENT_LENGTH=str(len(body)),
                CONTENT_TYPE=fields["Content-Type"],
                HTTP_CONTENT_ENCODING=fields["Content-Encoding"],
                GIT_PROTOCOL=fields["Git-Protocol"],
            ),
            timeout=GUARD,
            check=True,
        )
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        lines = [line.partition(": ") for line in head.decode().split("\r\n")]
        self.send_response(next((int(value.split()[0]) for name, _, value in lines if name == "Status"), 200))
        for name, _, value in lines:
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        pieces = [answer[i : i + PIECE] for i in range(0, len(answer), PIECE)]
        self.wfile.write(b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""]))

    do_POST = do_GET

    def log_request(self, *args: Any) -> None:
        """
        Nothing is written.
        """

    log_error = log_request


class GitWeb(Web):
    """
    A server of the repositories in a directory.
    """

    def __init__(self, directory: Path, *, tls: bool = True, made: Authority | None = None) -> None:
        Web.__init__(self, directory, tls=tls, made=made)
        self._server.RequestHandlerClass = _Request
