"""
Tests for L{connectproxy.listeners.socks.negotiation}.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from connectproxy.address import Destination
from connectproxy.errors import KINDS, Refusal
from connectproxy.interfaces import Arrival, ProxyUser
from connectproxy.listeners.socks.negotiation import Negotiation
from connectproxy.wire.socks import (
    Associate,
    Command,
    Connect,
    formatCredentials,
    formatRequest4,
    formatRequest5,
)
from tests.fakes import FakeAuthenticator, addressOf

ANN = formatCredentials("ann", "secret: £")
TARGET = "host.example", 443


ARRIVAL = Arrival(addressOf("192.0.2.7", 51000), "tcp:1080", 1000.0)
KNOWN = ProxyUser("by connection", means="certificate")


class Authenticator(FakeAuthenticator):
    """
    Knows ann, and perhaps a client by its connection.

    @ivar told: the names and passwords that it was asked about.
    """

    def __init__(
        self, connection: ProxyUser | None = None, mode: str = "required", *, later: bool = False
    ) -> None:
        FakeAuthenticator.__init__(self, "ann", "secret: £", mode=mode, later=later)
        self.connection = connection
        self.told: list[tuple[bytes, bytes]] = []

    def known(self, arrival: Arrival) -> ProxyUser | None:
        assert arrival is ARRIVAL
        return self.connection

    def check(self, user: bytes, password: bytes, arrival: Arrival) -> Any:
        assert arrival is ARRIVAL
        self.told.append((user, password))
        return FakeAuthenticator.check(self, user, password, arrival)


def request4(host: str, user: bytes = b"ann") -> bytes:
    """
    A request of SOCKS 4.
    """
    asked = formatRequest4(host, 443, user)
    assert isinstance(asked, bytes)
    return asked


class NegotiationCase(SynchronousTestCase):
    """
    Negotiations in pieces.
    """

    def negotiate(
        self, *pieces: bytes, known: Any = None, udp: bool = True
    ) -> tuple[Any, bytes, Negotiation]:
        """
        Have one conversation, in which each piece but the last leaves it open.

        @return: the result, everything that was said, and the negotiation.
        """
        negotiation, said, result = Negotiation(known, ARRIVAL, udp=udp), b"", None
        for piece in pieces:
            self.assertIs(result, None, pieces)
            result = negotiation.receive(piece)
            said, negotiation.said = said + negotiation.said, b""
        if isinstance(result, Refusal):
            said += negotiation.denial(result)
        return result, said, negotiation

    def alike(self, octets: bytes, known: Any = None, udp: bool = True) -> tuple[Any, bytes, Negotiation]:
        """
        The same conversation whole, at every split and byte by byte; what follows is left.
        """
        expected = self.negotiate(octets, known=known, udp=udp)
        result, said, negotiation = expected
        more = self.negotiate(octets + b"\x05\x01\x00", known=known, udp=udp)
        self.assertEqual(more[:2], (result, said))
        if not isinstance(result, Refusal):
            self.assertEqual((negotiation.leftover, more[2].leftover), (b"", b"\x05\x01\x00"))
        ways = [[octets[:cut], octets[cut:]] for cut in range(1, len(octets))]
        ways.append([octets[index : index + 1] for index in range(len(octets))])
        for way in ways:
            found = self.negotiate(*way, known=known, udp=udp)
            self.assertEqual(found[:2], (result, said), way)
            self.assertEqual(
                (found[2].identity, found[2].protocol, found[2].soFar),
                (negotiation.identity, negotiation.protocol, negotiation.soFar),
            )
        return expected

    def refused(self, octets: bytes, kind: str, said: bytes, **others: Any) -> Refusal:
        """
        A conversation that comes to a refusal, as soon as it can.
        """
        result, told, _ = self.negotiate(octets, **others)
        self.assertIsInstance(result, Refusal, octets)
        self.assertEqual((result.kind, told), (kind, said), octets)
        return result  # type: ignore[no-any-return]


class FiveTests(NegotiationCase):
    """
    SOCKS 5.
    """

    def test_nobodyAsked(self) -> None:
        """
        Without users the method is none, wherever it stands in the offer; conformance 71, 74.
        """
        for offered in (b"\x00", b"\x02\x00", b"\x00\x01\x02", b"\xfe\x80\x02\x00"):
            octets = b"\x05%c%b" % (len(offered), offered) + formatRequest5(*TARGET)
            result, said, negotiation = self.alike(octets)
            self.assertEqual(result, Connect(Destination("host.example", 443, None, "host.example.")))
            self.assertEqual(
                (said, negotiation.identity, negotiation.protocol), (b"\x05\x00", None, "socks5")
            )
            self.assertEqual(negotiation.success(), b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")

    def test_passwordUnasked(self) -> None:
        """
        A client that offers nothing but its password may tell it, where nobody is asked, and
        is nobody all the same.
        """
        result, said, negotiation = self.alike(b"\x05\x01\x02" + ANN + formatRequest5(*TARGET))
        self.assertIsInstance(result, Connect)
        self.assertEqual((said, negotiation.identity), (b"\x05\x02\x01\x00", None))

    def test_password(self) -> None:
        """
        With users it is the password, even if the client would rather not; the name is the
        one that is known; conformance 71.
        """
        known = Authenticator()
        for offered in (b"\x02", b"\x00\x02", b"\x01\x02\x00"):
            octets = b"\x05%c%b" % (len(offered), offered) + ANN + formatRequest5(*TARGET)
            result, said, negotiation = self.alike(octets, known)
            self.assertIsInstance(result, Connect)
            self.assertEqual((said, negotiation.identity), (b"\x05\x02\x01\x00", known.user))
        self.assertEqual(set(known.told), {(b"ann", "secret: £".encode())})

    def test_wrongPassword(self) -> None:
        """
        A wrong password is a status that is no success, and what follows is not read;
        conformance 71.
        """
        octets = b"\x05\x01\x02" + formatCredentials("ann", "wrong")
        result, said, negotiation = self.alike(octets, Authenticator())
        self.assertEqual(self.negotiate(octets + formatRequest5(*TARGET), known=Authenticator())[0], result)
        self.assertEqual(result.kind, "proxy_authentication_required")
        self.assertEqual(
            (said, negotiation.identity, negotiation.soFar), (b"\x05\x02\x01\x01", None, ("", ""))
        )

    def test_methods(self) -> None:
        """
        None of the methods offered will do: 0xFF; conformance 71.
        """
        unasked = "proxy_authentication_required"
        self.refused(b"\x05\x02\x01\x03", unasked, b"\x05\xff")
        self.refused(b"\x05\x01\x00", unasked, b"\x05\xff", known=Authenticator())
        self.refused(b"\x05\x01\x01" + ANN, unasked, b"\x05\xff", known=Authenticator())
        self.refused(b"\x05\x00", "socks_request_error", b"\x05\xff")

    def test_malformedCredentials(self) -> None:
        """
        Credentials that are none are answered as wrong ones; conformance 71.
        """
        for octets in (b"\x05", b"\x01\x00", b"\x01\x01a\x00", b"\x01\x01\xff"):
            self.refused(b"\x05\x01\x02" + octets, "socks_request_error", b"\x05\x02\x01\x01")

    def test_malformedRequests(self) -> None:
        """
        Requests that are none, and such as nobody serves, with their own replies;
        conformance 72 and 75.
        """
        for octets, kind in (
            (b"\x04\x01\x00\x01", "socks_request_error"),
            (b"\x05\x00\x00\x01", "socks_command_not_supported"),
            (b"\x05\x09\x00\x01", "socks_command_not_supported"),
            (b"\x05\x01\x00\x02", "socks_address_type_not_supported"),
            (b"\x05\x01\x00\x03\x00\x01\xbb", "socks_request_error"),
            (b"\x05\x01\x00\x03\x05127.1\x01\xbb", "socks_request_error"),
            (b"\x05\x01\x00\x03\x0a0x7f000001\x01\xbb", "socks_request_error"),
            (b"\x05\x01\x00\x03\x05a%2eb\x01\xbb", "socks_request_error"),
            (b"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x00", "socks_request_error"),
            (formatRequest5(*TARGET, Command.BIND), "socks_command_not_supported"),
        ):
            reply = b"\x05%c\x00\x01\x00\x00\x00\x00\x00\x00" % KINDS[kind].socks5
            self.refused(b"\x05\x01\x00" + octets, kind, b"\x05\x00" + reply)

    def test_bind(self) -> None:
        """
        BIND is refused in words, when it is whole, with what was asked for; conformance 72.
        """
        result, _, negotiation = self.alike(b"\x05\x01\x00" + formatRequest5(*TARGET, Command.BIND))
        self.assertEqual((result.kind, result.row.socks5), ("socks_command_not_supported", 7))
        self.assertIn("BIND is not served", result.detail)
        self.assertEqual(negotiation.soFar, ("BIND", "host.example:443"))

    def test_associate(self) -> None:
        """
        UDP ASSOCIATE is a request like others, unless it is switched off; conformance 72.
        """
        octets = b"\x05\x01\x00" + formatRequest5("0.0.0.0", 0, Command.ASSOCIATE)
        result, said, _ = self.alike(octets)
        self.assertEqual((result, said), (Associate(("0.0.0.0", 0)), b"\x05\x00"))  # type: ignore[arg-type]
        refusal, _, negotiation = self.alike(octets, udp=False)
        self.assertEqual(
            (refusal.kind, negotiation.soFar[0]), ("socks_command_not_supported", "UDP ASSOCIATE")
        )
        self.assertIn("socks.udp", refusal.detail)


class KnownTests(NegotiationCase):
    """
    Clients that need not say who they are.
    """

    def test_connection(self) -> None:
        """
        Who is known by its connection need not say who it is, in any version.
        """
        for mode in ("required", "optional"):
            for octets in (b"\x05\x01\x00" + formatRequest5(*TARGET), request4("host.example")):
                result, said, negotiation = self.alike(octets, Authenticator(KNOWN, mode))
                self.assertIsInstance(result, Connect)
                self.assertEqual((negotiation.identity, b"\x05\x00".startswith(said)), (KNOWN, True))

    def test_credentialsFirst(self) -> None:
        """
        One that offers a password is asked for it, whether it is known or may stay a stranger:
        the right one goes before the connection, and a wrong one is refused.
        """
        wrong = formatCredentials("ann", "wrong")
        for connection, mode in ((KNOWN, "required"), (KNOWN, "optional"), (None, "optional")):
            for offered in (b"\x02", b"\x00\x02", b"\x02\x00"):
                greeting = b"\x05%c%b" % (len(offered), offered)
                known = Authenticator(connection, mode)
                result, said, negotiation = self.alike(greeting + ANN + formatRequest5(*TARGET), known)
                self.assertIsInstance(result, Connect)
                self.assertEqual((said, negotiation.identity), (b"\x05\x02\x01\x00", known.user))
                refusal, said, _ = self.negotiate(greeting + wrong, known=known)
                self.assertEqual((refusal, said), (known.refusal, b"\x05\x02\x01\x01"))

    def test_strangers(self) -> None:
        """
        Where clients may say who they are, one that does not is nobody.
        """
        for octets in (b"\x05\x01\x00" + formatRequest5(*TARGET), request4("192.0.2.1")):
            result, _, negotiation = self.alike(octets, Authenticator(mode="optional"))
            self.assertIsInstance(result, Connect)
            self.assertIs(negotiation.identity, None)

    def test_off(self) -> None:
        """
        Where nobody is asked, nothing is looked at, and what is known is the switchboard's to
        find out.
        """
        known = Authenticator(KNOWN, "off")
        for octets, said in (
            (b"\x05\x02\x02\x00" + formatRequest5(*TARGET), b"\x05\x00"),
            (b"\x05\x01\x02" + formatCredentials("x", "y") + formatRequest5(*TARGET), b"\x05\x02\x01\x00"),
            (request4("192.0.2.1"), b""),
        ):
            result, told, negotiation = self.alike(octets, known)
            self.assertIsInstance(result, Connect)
            self.assertEqual((told, negotiation.identity, known.told), (said, None, []))

    def test_unsafe(self) -> None:
        """
        Where a password would be sent in clear text, and the operator does not want that, none
        is asked for: who needs none goes on, and all others are refused before they send it
        (conformance 70).
        """
        why = Refusal("http_request_denied", "it would be sent in clear text")
        for connection, mode, offered, goesOn in (
            (None, "required", b"\x02", False),
            (None, "required", b"\x00\x02", False),
            (None, "optional", b"\x02\x00", True),
            (KNOWN, "required", b"\x00\x02", True),
        ):
            known = Authenticator(connection, mode)
            self.patch(known, "unsafe", lambda arrival: why)
            greeting = b"\x05%c%b" % (len(offered), offered)
            if goesOn:
                result, said, negotiation = self.alike(greeting + formatRequest5(*TARGET), known)
                self.assertIsInstance(result, Connect)
                self.assertEqual((said, negotiation.identity, known.told), (b"\x05\x00", connection, []))
            else:
                refusal, said, _ = self.negotiate(greeting, known=known)
                self.assertEqual((refusal, said), (why, b"\x05\xff"))

    def test_later(self) -> None:
        """
        While it is being found out who asks, nothing is said and nothing read; with the answer
        it goes on where it was, with all that has come meanwhile, however it was cut.
        """
        octets = b"\x05\x01\x02" + ANN + formatRequest5(*TARGET) + b"early"
        behind = 3 + len(ANN)
        for cut in range(behind, len(octets) + 1):
            known = Authenticator(later=True)
            waiting, said, negotiation = self.negotiate(octets[:cut], known=known)
            self.assertIsInstance(waiting, Deferred)
            self.assertEqual((said, negotiation.leftover), (b"\x05\x02", octets[behind:cut]))
            negotiation.leftover += octets[cut:]
            result = negotiation.identified(known.user)
            self.assertIsInstance(result, Connect)
            self.assertEqual(
                (negotiation.said, negotiation.leftover, negotiation.identity),
                (b"\x01\x00", b"early", known.user),
            )
            known.answer()

    def test_laterWrong(self) -> None:
        """
        A refusal that comes later is the same status as one at once, whatever its kind.
        """
        for kind in ("proxy_authentication_required", "login_limit_reached"):
            known = Authenticator(later=True)
            _, _, negotiation = self.negotiate(b"\x05\x01\x02" + ANN + b"\x05", known=known)
            refusal = Refusal(kind)
            self.assertIs(negotiation.identified(refusal), refusal)
            self.assertEqual((negotiation.said, negotiation.denial(refusal)), (b"", b"\x01\x01"))
            self.assertIs(negotiation.identity, None)
            known.answer()

    def test_laterNothing(self) -> None:
        """
        With nothing behind the credentials the negotiation just goes on.
        """
        known = Authenticator(later=True)
        _, _, negotiation = self.negotiate(b"\x05\x01\x02" + ANN, known=known)
        self.assertIs(negotiation.identified(known.user), None)
        self.assertIsInstance(negotiation.receive(formatRequest5(*TARGET)), Connect)
        known.answer()


class FourTests(NegotiationCase):
    """
    SOCKS 4 and 4a.
    """

    def test_connect(self) -> None:
        """
        An address, and in 4a a name; the user id is nobody; conformance 76.
        """
        for host, protocol in (("192.0.2.1", "socks4"), ("host.example", "socks4a")):
            result, said, negotiation = self.alike(request4(host))
            self.assertEqual((result.destination.host, said), (host, b""))
            self.assertEqual((negotiation.identity, negotiation.protocol), (None, protocol))
            self.assertEqual(negotiation.success(), b"\x00\x5a\x00\x00\x00\x00\x00\x00")

    def test_noProof(self) -> None:
        """
        With users nobody gets in by a user id, whoever it names; what was asked for is known
        nevertheless; conformance 76.
        """
        for host in ("192.0.2.1", "host.example"):
            known = Authenticator()
            result, said, negotiation = self.alike(request4(host), known)
            self.assertEqual(result.kind, "proxy_authentication_required")
            self.assertIn("SOCKS 5", result.detail)
            self.assertEqual((said[:2], negotiation.identity, known.told), (b"\x00\x5b", None, []))
            self.assertEqual(negotiation.soFar, ("CONNECT", f"{host}:443"))

    def test_malformed(self) -> None:
        """
        What is no request, and what is not served, is rejected; conformance 76.
        """
        rejected = b"\x00\x5b\x00\x00\x00\x00\x00\x00"
        for octets, kind in (
            (b"\x04\x03", "socks_command_not_supported"),
            (b"\x04\x02\x01\xbb\x7f\x00\x00\x01\x00", "socks_command_not_supported"),
            (b"\x04\x02\x01\xbb\x00\x00\x00\x01\x00a.example\x00", "socks_command_not_supported"),
            (b"\x04\x01\x00\x00\x7f\x00\x00\x01\x00", "socks_request_error"),
            (b"\x04\x01\x01\xbb\x00\x00\x00\x01\x00\x00", "socks_request_error"),
            (b"\x04\x01\x01\xbb\x7f\x00\x00\x01" + b"u" * 256, "socks_request_error"),
            (b"\x04\x01\x01\xbb\x00\x00\x00\x01\x00" + b"n" * 256, "socks_request_error"),
        ):
            self.refused(octets, kind, rejected)


class StrangerTests(NegotiationCase):
    """
    What is not SOCKS.
    """

    def test_unknown(self) -> None:
        """
        It is refused by its first octet, and nothing is said to it.
        """
        for octets in (b"GET / HTTP/1.1\r\n", b"\x16\x03\x01", b"\x00", b"\xff" * 600):
            refusal = self.refused(octets, "socks_request_error", b"")
            self.assertIn(f"{octets[0]:#04x}", refusal.detail)
            self.assertEqual(self.negotiate(octets)[2].protocol, "unknown")

    def test_started(self) -> None:
        """
        It is known whether any octet has come.
        """
        negotiation = Negotiation(None, ARRIVAL, udp=True)
        self.assertEqual((negotiation.started, negotiation.soFar), (False, ("", "")))
        negotiation.receive(b"\x05")
        self.assertEqual((negotiation.started, negotiation.soFar), (True, ("", "")))

    def test_denials(self) -> None:
        """
        Every kind of refusal has its code in both versions; conformance 72.
        """
        for name, row in KINDS.items():
            for octets, code in ((b"\x05\x01\x00" + formatRequest5(*TARGET), b"\x05%c" % row.socks5),
                                 (request4("host.example"), b"\x00%c" % row.socks4)):  # fmt: skip
                negotiation = self.negotiate(octets)[2]
                self.assertEqual(negotiation.denial(Refusal(name))[:2], code, name)


class MutantTests(NegotiationCase):
    """
    Whatever comes.
    """

    @given(
        st.sampled_from(
            (
                b"\x05\x01\x00" + formatRequest5(*TARGET),
                b"\x05\x02\x00\x02" + ANN + formatRequest5("2001:db8::1", 443),
                b"\x05\x01\x02" + ANN + formatRequest5("192.0.2.1", 443, Command.ASSOCIATE),
                request4("host.example"),
                request4("192.0.2.1", b""),
            )
        ),
        st.lists(st.tuples(st.integers(0, 60), st.binary(max_size=4)), max_size=3),
        st.lists(st.integers(0, 80), max_size=4),
        st.booleans(),
    )
    def test_mutants(
        self, octets: bytes, changes: list[tuple[int, bytes]], cuts: list[int], asked: bool
    ) -> None:
        """
        A mutilated conversation comes to the same end however it is cut, and never raises.
        """
        for where, instead in changes:
            octets = octets[:where] + instead + octets[where + len(instead) :]
        known = Authenticator() if asked else None
        whole = self.negotiate(octets, known=known)
        ends = sorted({0, *(cut for cut in cuts if cut < len(octets)), len(octets)})
        negotiation, said, result = Negotiation(known, ARRIVAL, udp=True), b"", None
        for start, end in pairwise(ends):
            result = negotiation.receive(octets[start:end])
            said, negotiation.said = said + negotiation.said, b""
            if result is not None:
                break
        if isinstance(result, Refusal):
            said += negotiation.denial(result)
        self.assertEqual((result, said), whole[:2])
        self.assertTrue(not asked or not isinstance(result, Connect) or negotiation.identity == known.user)
