"""
The fake resolver and the fake threads: questions and calls that wait for the test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.interfaces import IHostnameResolver, IHostResolution
from twisted.python.failure import Failure
from zope.interface import implementer

from connectproxy.testing.pipe import addressOf

__all__ = ["FakeLookup", "FakeResolver", "FakeThreads"]


@implementer(IHostResolution)
class FakeLookup:
    """
    One question to the L{FakeResolver}.

    @ivar name: what was asked for, as it was asked.
    @ivar families: the classes of address that were asked for.
    @ivar done: it has been answered.
    @ivar cancelled: whoever asked has given it up.
    """

    def __init__(self, receiver: Any, name: str, families: tuple[type, ...]) -> None:
        self._receiver = receiver
        self.name = name
        self.families = families
        self.done = False
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True

    def answer(self, *addresses: str) -> None:
        """
        Answer with addresses, of which those of other families are left out; with none at
        all if the name has no address.
        """
        assert not self.done, f"{self.name} has been answered"
        self.done = True
        for each in addresses:
            address = addressOf(each, 0)
            if isinstance(address, self.families):
                self._receiver.addressResolved(address)
        self._receiver.resolutionComplete()


@implementer(IHostnameResolver)
class FakeResolver:
    """
    Answers from C{answers} at once, and leaves other questions to the test.

    @ivar answers: addresses by name, without a trailing dot.
    @ivar lookups: every question so far.
    """

    def __init__(self, **answers: Iterable[str]) -> None:
        self.answers: dict[str, Iterable[str]] = dict(answers)
        self.lookups: list[FakeLookup] = []

    @property
    def pending(self) -> list[FakeLookup]:
        """The questions that have no answer yet, in the order in which they came."""
        return [each for each in self.lookups if not each.done]

    def resolveHostName(
        self,
        resolutionReceiver: Any,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Any = None,
        transportSemantics: str = "TCP",
    ) -> Any:
        families = tuple(addressTypes or (type(addressOf("::", 0)), type(addressOf("0.0.0.0", 0))))
        lookup = FakeLookup(resolutionReceiver, hostName, families)
        self.lookups.append(lookup)
        resolutionReceiver.resolutionBegan(lookup)
        known = self.answers.get(hostName.rstrip("."))
        if known is not None:
            lookup.answer(*known)
        return lookup


class FakeThreads:
    """
    A thread pool without threads.

    @ivar held: keep calls until L{run}; otherwise they are made at once.
    """

    def __init__(self) -> None:
        self.held = False
        self._calls: list[Callable[[], None]] = []

    def callInThread(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self.callInThreadWithCallback(None, function, *args, **kwargs)

    def callInThreadWithCallback(
        self,
        onResult: Callable[[bool, Any], None] | None,
        function: Callable[..., Any],
        *args: Any,
        **kwargs: Any,
    ) -> None:
        def call() -> None:
            try:
                success, result = True, function(*args, **kwargs)
            except Exception:  # noqa: BLE001  it is the caller's
                success, result = False, Failure()
            if onResult is not None:
                onResult(success, result)

        self._calls.append(call)
        if not self.held:
            self.run()

    def run(self) -> None:
        """
        Make the calls that are held.
        """
        while self._calls:
            self._calls.pop(0)()
