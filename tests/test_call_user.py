"""
Tests for L{connectproxy.call}: who asks, and by what connection.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from connectproxy.events import showCertificate
from connectproxy.interfaces import Action, Arrival, Phase, ProxyUser, Verdict
from connectproxy.tls import ClientCertificate
from tests.fakes import FakeAuthenticator, addressOf, makeRequest
from tests.test_switchboard import Says, SwitchboardCase

CREDENTIALS = (b"proxy-authorization", b"Basic " + b64encode(b"Aladdin:open sesame"))
HOST = (b"host", b"host.example:443")
CLIENT = addressOf("203.0.113.9", 4711)
CERTIFICATE = ClientCertificate("CN=Zoë,O=Example", ("client.example",), (), (), "ab" * 32)


class Watching(Says):
    """
    A rule that keeps what it is asked.
    """

    def __init__(self) -> None:
        Says.__init__(self, None)
        self.asked: list[Any] = []

    def decideRequest(self, request: Any) -> Verdict | None:
        self.asked.append(request)
        return None


class AuthenticationTests(SwitchboardCase):
    """
    A proxy that asks who somebody is.
    """

    def setUp(self) -> None:
        """
        Have one, with a rule that sees what comes through.
        """
        super().setUp()
        self.rule = Watching()
        self.make(self.rule, authenticator=FakeAuthenticator("Aladdin", "open sesame"))

    def test_known(self) -> None:
        """
        Whoever is known goes on, by name: the rules, the upstream and the event have it. The
        credentials stay behind (conformance 69).
        """
        inbound = self.place(fields=(HOST, CREDENTIALS, (b"user-agent", b"test")))
        (asked,) = self.rule.asked
        (dial,) = self.upstream.dials
        for request in (asked, dial.request, inbound.request):
            self.assertEqual(request.user, "Aladdin")
            self.assertEqual(request.fields, (HOST, (b"user-agent", b"test")))
        dial.fail()
        event = self.event(user="Aladdin", user_agent="test", error="connection_refused")
        self.assertNotIn("sesame", repr(event))
        self.assertNotIn(CREDENTIALS[1].decode(), repr(event))

    def test_unknown(self) -> None:
        """
        Others are refused before any rule is asked; the event says in which phase, and
        nothing of what they have said (conformance 65 and 69).
        """
        wrong = b64encode(b"Aladdin:something else").decode()
        for fields in ((HOST,), (HOST, (b"proxy-authorization", b"Basic " + wrong.encode()))):
            self.setUp()
            inbound = self.place(fields=fields)
            self.assertEqual(inbound.refused, FakeAuthenticator.refusal)
            self.assertEqual((self.rule.asked, self.upstream.dials), ([], []))
            event = self.event(
                event="refusal",
                status=407,
                error="proxy_authentication_required",
                phase="authenticating",
                end="refused",
                user=None,
                decision=None,
                rule=None,
                reason="who are you?",
            )
            for secret in ("something else", wrong, CREDENTIALS[1].decode()):
                self.assertNotIn(secret, repr(event))
            self.nothingIsLeft()

    def test_denied(self) -> None:
        """
        For what the policy denies it is no use to say who one is: that is a 403
        (conformance 65).
        """
        self.make(
            Says(Verdict(Action.DENY, "why", "says")),
            authenticator=FakeAuthenticator("Aladdin", "open sesame"),
        )
        inbound = self.place(fields=(CREDENTIALS,))
        assert inbound.refused is not None
        self.assertEqual(inbound.refused.row.status, 403)
        self.event(status=403, user="Aladdin", phase="deciding")

    def test_named(self) -> None:
        """
        Whose protocol has settled it before is not asked again.
        """
        self.place(identity=ProxyUser("Jasmine", frozenset({"palace"}), (), "certificate"))
        self.assertEqual(self.rule.asked[0].user, "Jasmine")
        self.upstream.dials[0].fail()
        self.event(user="Jasmine", groups=["palace"], means="certificate")

    def test_full(self) -> None:
        """
        Where there is no room nobody is asked, and while the proxy stops neither.
        """
        self.board.drain()
        inbound = self.place()
        assert inbound.refused is not None
        self.assertEqual(inbound.refused.kind, "proxy_draining")

    def test_broken(self) -> None:
        """
        An authenticator that fails lets nobody in; the log does not show what was said.
        """
        self.board.authenticator.identify = lambda request: 1 / 0
        inbound = self.place(fields=(HOST, CREDENTIALS))
        assert inbound.refused is not None
        self.assertEqual(inbound.refused.kind, "proxy_internal_error")
        (failure,) = self.flushLoggedErrors(ZeroDivisionError)
        for shown in (failure.getTraceback(detail="verbose"), failure.getTraceback()):
            self.assertNotIn(CREDENTIALS[1].decode(), shown)
        self.event(status=500, phase="authenticating", user=None)
        self.nothingIsLeft()

    def test_nobodyIsAsked(self) -> None:
        """
        Without an authenticator requests go on as they are, and nobody has a name.
        """
        self.make(self.rule)
        request = makeRequest(fields=(HOST,))
        inbound = self.place(fields=request.fields)
        self.assertIsNone(inbound.request.user)
        self.upstream.dials[0].fail()
        self.event(user=None)


class WaitingTests(SwitchboardCase):
    """
    An authenticator that takes its time.
    """

    def setUp(self) -> None:
        """
        Have one, and a request with the right credentials.
        """
        super().setUp()
        self.users = FakeAuthenticator("Aladdin", "open sesame", later=True)
        self.make(authenticator=self.users)

    def test_goesOn(self) -> None:
        """
        The request goes on when it is known who asks, and has lost what proved it.
        """
        inbound = self.place(fields=(HOST, CREDENTIALS))
        self.assertEqual(self.upstream.dials, [])
        (call,) = self.board._calls
        self.assertIs(call.phase, Phase.AUTHENTICATING)
        self.users.answer()
        (dial,) = self.upstream.dials
        self.assertEqual((dial.request.user, dial.request.fields), ("Aladdin", (HOST,)))
        dial.fail()
        self.assertIsNotNone(inbound.refused)
        self.event(user="Aladdin", groups=["staff"], means="basic")
        self.nothingIsLeft()

    def test_refused(self) -> None:
        """
        It is refused if that is what comes of it.
        """
        inbound = self.place(fields=(HOST,))
        self.users.answer()
        self.assertEqual(inbound.refused, self.users.refusal)
        self.event(status=407, phase="authenticating")
        self.nothingIsLeft()

    def test_clientGone(self) -> None:
        """
        Nobody is asked any more once the client has gone.
        """
        self.place(fields=(HOST, CREDENTIALS)).vanish()
        self.assertEqual((self.users.cancelled, self.upstream.dials), (1, []))
        self.event(event="abandoned", phase="authenticating", end="client_gone", status=None)
        self.nothingIsLeft()

    def test_timeIsUp(self) -> None:
        """
        The deadline of everything before the answer holds for it.
        """
        inbound = self.place(fields=(HOST, CREDENTIALS))
        self.reactor.advance(self.board.settings["timeouts.connect"] + 1)
        self.assertEqual(self.users.cancelled, 1)
        self.assertEqual(inbound.refused, self.users.refusal)
        self.event(status=407, phase="authenticating")
        self.nothingIsLeft()

    def test_oneDeadline(self) -> None:
        """
        What it has taken to know who asks, dialling does not get once more.
        """
        inbound = self.place(fields=(HOST, CREDENTIALS))
        most = self.board.settings["timeouts.connect"]
        self.reactor.advance(most - 5)
        self.users.answer()
        (dial,) = self.upstream.dials
        self.reactor.advance(4)
        self.assertFalse(dial.cancelled)
        self.reactor.advance(2)
        self.assertTrue(dial.cancelled)
        self.assertIsNotNone(inbound.refused)
        self.nothingIsLeft()

    def test_stopped(self) -> None:
        """
        Where the proxy stops meanwhile, that is the answer.
        """
        inbound = self.place(fields=(HOST, CREDENTIALS))
        self.board.abort("drain_timeout")
        self.assertEqual(inbound.refused.kind, "proxy_draining")
        self.event(status=503, phase="authenticating")
        self.nothingIsLeft()

    def test_fails(self) -> None:
        """
        One that breaks its word lets nobody in.
        """
        inbound = self.place(fields=(HOST, CREDENTIALS))
        self.users.waiting.pop().errback(ZeroDivisionError())
        self.assertEqual(inbound.refused.kind, "proxy_internal_error")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.nothingIsLeft()

    def test_optional(self) -> None:
        """
        Nobody is somebody, too, where nobody has to say who it is.
        """
        self.make(authenticator=FakeAuthenticator(mode="optional"))
        self.place(fields=(HOST,))
        self.assertIsNone(self.upstream.dials[0].request.identity)


class ArrivalTests(SwitchboardCase):
    """
    What an event has of the connection.
    """

    def test_everything(self) -> None:
        """
        The client that a PROXY header has named, who sent that, the version of TLS, and
        whose certificate it was.
        """
        arrival = Arrival(CLIENT, "tcp:8080", 0.0, "TLSv1.2", CERTIFICATE, addressOf("10.0.0.1", 99))
        self.place(client=CLIENT, arrival=arrival)
        self.upstream.dials[0].fail()
        self.event(
            client="203.0.113.9:4711", sender="10.0.0.1:99", tls="TLSv1.2", certificate="CN=Zoë,O=Example"
        )

    def test_nothing(self) -> None:
        """
        A connection in clear that nobody has introduced has none of it; nor has a request
        of which no connection is known.
        """
        for arrival in (None, Arrival(CLIENT, "tcp:8080", 0.0)):
            self.make()
            self.place(arrival=arrival)
            self.upstream.dials[0].fail()
            self.event(sender=None, tls=None, certificate=None)

    def test_certificate(self) -> None:
        """
        A certificate without a subject is told by its digest.
        """
        nameless = CERTIFICATE._replace(subject="")
        for certificate, shown in (
            (None, None),
            (CERTIFICATE, "CN=Zoë,O=Example"),
            (nameless, "sha256:" + "ab" * 32),
        ):
            self.assertEqual(showCertificate(Arrival(CLIENT, "", 0.0, "TLSv1.3", certificate)), shown)
        self.assertIsNone(showCertificate(None))
