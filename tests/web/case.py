"""
What the tests of agents have in common: requests whose every octet is in the hands of the
test.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import HTTPConnectionPool

from connectproxy.web import ProxyingAgent
from tests.endpoints.securedcase import Trusting
from tests.endpoints.test_chain import ChainCase

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
"""What an origin says."""


class Reading(Protocol):
    """
    Reads content, without the warning that C{readBody} has for some responses.
    """

    def __init__(self) -> None:
        self.done: Deferred[bytes] = Deferred()
        self._content = b""

    def dataReceived(self, data: bytes) -> None:
        self._content += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.done.callback(self._content)


class AgentCase(ChainCase):
    """
    @ivar pool: keeps connections.
    """

    def setUp(self) -> None:
        ChainCase.setUp(self)
        self.pool = HTTPConnectionPool(self.reactor)

    def agent(self, proxies: Any, **parameters: Any) -> ProxyingAgent:
        usual: dict[str, Any] = {"pool": self.pool, "contextFactory": Trusting()}
        return ProxyingAgent(self.reactor, proxies, **{**usual, **parameters})

    def get(self, agent: Any, uri: bytes, *more: Any, method: bytes = b"GET") -> list[Any]:
        """
        Make a request.

        @return: what becomes of it: the status and the content, or the failure.
        """
        results: list[Any] = []
        done = agent.request(method, uri, *more)

        def answered(response: Any) -> Any:
            self.response = response
            reading = Reading()
            response.deliverBody(reading)
            return reading.done.addCallback(lambda content: (response.code, content))

        done.addCallback(answered).addBoth(results.append)
        self.asking = done
        return results

    def failed(self, results: list[Any], kind: type[BaseException]) -> Any:
        (failure,) = results
        self.assertIsInstance(failure, Failure)
        self.assertIs(failure.type, kind, failure)
        return failure.value

    def rest(self) -> None:
        """
        Let go of the connections that are kept.
        """
        self.pool.closeCachedConnections()
        self.assertAtRest()
