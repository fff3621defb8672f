"""
Tests for L{connectproxy.tls.watch}.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs, formatEvent

from connectproxy.certificates import makeServer
from connectproxy.tls import CertificateWatch, ServerTLS, TLSOptions
from connectproxy.tls.watch import INTERVAL
from tests.fakes import FakeReactor
from tests.tls.case import TLSCase, authority, issued


class WatchTests(TLSCase):
    """
    L{CertificateWatch} on a reactor whose threads and time are the test's.
    """

    def setUp(self) -> None:
        """
        One certificate that is watched.
        """
        self.files = self.pair(issued("localhost"))
        self.tls = ServerTLS(TLSOptions((self.files,)))
        self.reactor = FakeReactor()
        self.watch = CertificateWatch(self.reactor, [self.tls])

    def renew(self, *names: str) -> None:
        """
        Put another certificate in its place.
        """
        renewed = makeServer(authority(), names)
        self.write(renewed.certificatePEM, self.files[0])
        self.write(renewed.keyPEM, self.files[1])

    def during(self, what: Any, *arguments: Any) -> list[tuple[Any, str]]:
        """
        What is logged meanwhile: levels and texts.
        """
        with capturedLogs() as events:
            what(*arguments)
            self.reactor.flush()
        return [(event["log_level"], formatEvent(event)) for event in events]

    def test_tellsAtStart(self) -> None:
        """
        The names and the first date of expiry; what is wrong with a certificate as well.
        """
        ((level, text),) = self.during(self.watch.start)
        self.assertEqual(level, LogLevel.info)
        self.assertEqual(
            text,
            f"TLS for localhost; the first certificate expires at {self.tls.expires:%Y-%m-%d %H:%M} UTC",
        )
        old = ServerTLS(TLSOptions((self.pair(authority()),)))
        (_, text), (level, note) = self.during(CertificateWatch(self.reactor, [old]).start)
        self.assertIn("no name", text)
        self.assertEqual((level, note), (LogLevel.warn, old.notes[0]))

    def test_renewed(self) -> None:
        """
        A changed file is read anew at the next look, and that is told.
        """
        self.watch.start()
        self.assertEqual(self.during(self.reactor.advance, INTERVAL), [])
        self.renew("renewed.example")
        ((_, text),) = self.during(self.reactor.advance, INTERVAL)
        self.assertTrue(text.startswith("TLS for renewed.example; "), text)
        self.assertEqual(self.tls.names, ("renewed.example",))
        self.assertEqual(self.during(self.reactor.advance, INTERVAL), [])

    def test_neverBlocks(self) -> None:
        """
        Files are looked at in a thread; until it is done nothing is scheduled.
        """
        self.watch.start()
        self.reactor.threads.held = True
        self.renew("renewed.example")
        self.reactor.advance(INTERVAL)
        self.assertEqual(self.tls.names, ("localhost",))
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.reactor.threads.run()
        self.reactor.flush()
        self.assertEqual(self.tls.names, ("renewed.example",))
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)

    def test_failure(self) -> None:
        """
        What cannot be used changes nothing and is told once, when it is still so at the
        second look; and again when it is something else.
        """
        self.watch.start()
        self.write(authority().keyPEM, self.files[1])
        self.assertEqual(self.during(self.reactor.advance, INTERVAL), [])
        ((level, text),) = self.during(self.reactor.advance, INTERVAL)
        self.assertEqual(level, LogLevel.error)
        self.assertIn("not that of the first certificate", text)
        self.assertIn("stay in use", text)
        for _ in range(3):
            self.assertEqual(self.during(self.reactor.advance, INTERVAL), [])
        self.assertEqual(self.tls.names, ("localhost",))
        Path(self.files[1]).unlink()
        self.assertEqual(self.during(self.reactor.advance, INTERVAL), [])
        ((_, text),) = self.during(self.reactor.advance, INTERVAL)
        self.assertIn("No such file", text)
        self.renew("renewed.example")
        ((_, text),) = self.during(self.reactor.advance, INTERVAL)
        self.assertIn("renewed.example", text)

    def test_halfRenewed(self) -> None:
        """
        Between the certificate and its key nothing is told.
        """
        self.watch.start()
        renewed = makeServer(authority(), ["renewed.example"])
        self.write(renewed.certificatePEM, self.files[0])
        self.assertEqual(self.during(self.reactor.advance, INTERVAL), [])
        self.write(renewed.keyPEM, self.files[1])
        ((_, text),) = self.during(self.reactor.advance, INTERVAL)
        self.assertIn("TLS for renewed.example", text)

    def test_reload(self) -> None:
        """
        On demand files are read at once, changed or not, and a failure is told at once.
        """
        self.watch.start()
        ((_, text),) = self.during(self.watch.reload)
        self.assertIn("TLS for localhost", text)
        self.write(b"", self.files[1])
        for _ in range(2):
            ((level, text),) = self.during(self.watch.reload)
            self.assertEqual(level, LogLevel.error)
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)

    def test_reloadWhileLooking(self) -> None:
        """
        It comes after what is under way, once.
        """
        self.watch.start()
        self.reactor.threads.held = True
        self.reactor.advance(INTERVAL)
        self.watch.reload()
        self.watch.reload()
        told = self.during(self.reactor.threads.run)
        self.assertEqual(len(told), 1)
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)

    def test_severalServers(self) -> None:
        """
        One that cannot be read does not keep the others from it.
        """
        other = self.pair(issued("other.example"))
        first = ServerTLS(TLSOptions((other,)))
        self.watch = CertificateWatch(self.reactor, [first, self.tls], 1.0)
        self.watch.start()
        self.write(b"", other[0])
        self.renew("renewed.example")
        ((_, text),) = self.during(self.reactor.advance, 1.0)
        self.assertIn("renewed.example", text)
        ((level, _),) = self.during(self.reactor.advance, 1.0)
        self.assertEqual(level, LogLevel.error)

    def test_stop(self) -> None:
        """
        Nothing is left with the reactor, and what a thread finds then is not told.
        """
        self.watch.start()
        self.watch.stop()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(self.during(self.watch.reload), [])
        self.watch.start()
        self.reactor.threads.held = True
        self.watch.reload()
        self.watch.reload()
        self.watch.stop()
        self.watch.stop()
        self.assertEqual(self.during(self.reactor.threads.run), [])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_bugsDoNotEndIt(self) -> None:
        """
        A mistake of ours is logged, and the next look comes.
        """
        waiting: list[Deferred[Any]] = []

        def inThread(function: Any) -> Deferred[Any]:
            waiting.append(Deferred())
            return waiting[-1]

        watch = CertificateWatch(self.reactor, [self.tls], inThread=inThread)
        watch.start()
        self.reactor.advance(INTERVAL)
        waiting.pop().errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.reactor.advance(INTERVAL)
        self.assertEqual(len(waiting), 1)
