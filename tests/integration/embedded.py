"""
An application that holds a proxy, on a reactor that is not the global one.

    python embedded.py MODULE.CLASS

makes a reactor of that class, runs a tunnel through a proxy on it, stops the proxy and
checks that nothing is left.  Ends with status 0 and without a word if all is well.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.threads import deferToThreadPool
from twisted.logger import globalLogPublisher
from twisted.python.reflect import namedAny

from connectproxy import ProxyService, configure

OPEN = {"ports": "any", "networks": ["127.0.0.0/8"]}


def visit(port: int) -> None:
    """
    Send a megabyte through a tunnel and back.
    """
    with (
        socket.create_server(("127.0.0.1", 0)) as origin,
        socket.create_connection(("127.0.0.1", port)) as client,
    ):
        target = b"127.0.0.1:%d" % origin.getsockname()[1]
        client.sendall(b"CONNECT " + target + b" HTTP/1.1\r\nHost: " + target + b"\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
        with origin.accept()[0] as end:
            for sender, receiver in ((client, end), (end, client)):
                for _ in range(16):
                    sender.sendall(b"x" * 65536)
                    assert receiver.recv(65536, socket.MSG_WAITALL) == b"x" * 65536
                sender.shutdown(socket.SHUT_WR)
                assert receiver.recv(1) == b""


def handlers() -> list[object]:
    """
    What is done about each signal.
    """
    return [signal.getsignal(number) for number in sorted(signal.valid_signals())]


def watched(reactor: Any) -> set[Any]:
    """
    What the reactor watches, but for its own waker.
    """
    return {*reactor.getReaders(), *reactor.getWriters()} - reactor._internalReaders


@inlineCallbacks
def scenario(reactor: Any, events: list[Any]) -> Any:
    """
    Start two proxies, use them, stop them, and start and stop one of them again.
    """
    before = handlers()
    descriptors: list[list[str]] = []
    services = [
        ProxyService(reactor, configure(listen=[{"endpoint": "0"}], allow=OPEN, relay={"splice": splice}))
        for splice in (True, False)
    ]
    for service in (*services, services[0]):
        service.startService()
        yield deferToThreadPool(reactor, reactor.getThreadPool(), visit, service.addresses[0].port)
        yield service.stopService()
        assert not service.addresses
        descriptors.append(sorted(os.listdir("/proc/self/fd")))
    relays = [each["relay"] for each in events]
    assert relays == ["splice", "wired", "splice"], relays
    pause: Deferred[None] = Deferred()
    reactor.callLater(0, pause.callback, None)  # what was closed has been let go of after a turn
    yield pause
    assert not watched(reactor), watched(reactor)
    assert not reactor.getDelayedCalls(), reactor.getDelayedCalls()
    assert handlers() == before
    # The first port that a process opens makes Twisted keep a descriptor in reserve.
    assert descriptors[0] == descriptors[1] == descriptors[2], descriptors


def main(name: str) -> int:
    """
    @param name: of the reactor's class.
    @return: the exit status.
    """
    loop = asyncio.SelectorEventLoop() if "asyncio" in name else None
    reactor = namedAny(name)(*filter(None, [loop]))
    problems: list[Any] = []
    events: list[Any] = []

    def observe(event: Any) -> None:
        if event["log_namespace"] == "connectproxy.access":
            events.append(event["event"])
        if "log_failure" in event:
            problems.append(event["log_failure"].getTraceback())

    def start() -> None:
        running = scenario(reactor, events)
        running.addErrback(lambda failure: problems.append(failure.getTraceback()))
        running.addBoth(lambda _: reactor.stop())

    globalLogPublisher.addObserver(observe)
    reactor.callWhenRunning(start)
    reactor.run(installSignalHandlers=False)
    if loop is not None:
        loop.close()
    if "twisted.internet.reactor" in sys.modules:
        problems.append("something has made the global reactor")
    sys.stderr.writelines(problems)
    return len(problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
