"""
Tests for L{connectproxy.race}: whom it does not dial, and what it says when nobody is connected.
"""

from __future__ import annotations

import errno
from ipaddress import ip_address

from twisted.internet.error import ConnectError, UserError
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.python.failure import Failure

from connectproxy import race as module
from connectproxy.errors import KINDS, Refused
from connectproxy.interfaces import Action, Verdict
from connectproxy.race import ATTEMPT_DELAY, failureKind
from tests.test_race import FOUR, SIX, RaceCase


def deny(address: str, kind: str = "destination_ip_prohibited", rule: str = "closed") -> Verdict:
    """
    A denial.
    """
    return Verdict(Action.DENY, f"{address} is closed", rule, kind)


class BrokenRule(dict[str, Verdict]):
    """
    What has a bug.
    """

    def get(self, *args: object) -> None:  # type: ignore[override]
        1 / 0  # noqa: B018 - the bug


class JudgeTests(RaceCase):
    """
    No address is dialled that the policy has not seen (conformance 80).
    """

    def test_atDialTime(self) -> None:
        """
        Each address is judged when its turn comes, and not before: what has changed until
        then counts.
        """
        self.offer(*FOUR)
        self.assertEqual(self.judged, [ip_address(FOUR[0])])
        self.denials[FOUR[1]] = deny(FOUR[1])
        self.reactor.advance(ATTEMPT_DELAY)
        self.assertEqual(self.dialled(), [FOUR[0], FOUR[2]])
        self.assertEqual(self.judged, [ip_address(each) for each in FOUR])

    def test_judgedIsDialled(self) -> None:
        """
        The address judged is the address dialled, however it was written: a mapped one is
        not dialled as something else.
        """
        for address in ("::ffff:192.0.2.1", "2001:DB8:0::1", "192.0.2.1"):
            self.begin()
            self.offer(address)
            self.assertEqual(self.dialled()[-1], str(self.judged[-1]))

    def test_prohibited(self) -> None:
        """
        What is prohibited is passed over at once, without an octet towards it, and told
        among what was tried.
        """
        self.denials[FOUR[0]] = deny(FOUR[0])
        self.offer(*FOUR[:2])
        self.assertEqual(self.dialled(), [FOUR[1]])
        self.attempts[0].succeed()
        self.assertEqual(
            self.successResultOf(self.result).tried,
            (("192.0.2.1", "destination_ip_prohibited", 0.0), ("192.0.2.2", "connected", 0.0)),
        )

    def test_allProhibited(self) -> None:
        """
        Where nothing is left the refusal is the first denial's, with its kind, reason and
        rule; nothing was dialled.
        """
        self.denials = {SIX[0]: deny(SIX[0], rule="first"), FOUR[0]: deny(FOUR[0], rule="second")}
        self.offer(FOUR[0], SIX[0])
        refused = self.refused()
        self.assertEqual(refused.refusal[:3], ("destination_ip_prohibited", f"{SIX[0]} is closed", "first"))
        self.assertEqual(
            refused.tried,
            ((SIX[0], "destination_ip_prohibited", 0.0), (FOUR[0], "destination_ip_prohibited", 0.0)),
        )
        self.assertEqual(self.attempts, [])

    def test_ownKind(self) -> None:
        """
        A denial can be of another kind.
        """
        self.denials[FOUR[0]] = deny(FOUR[0], "proxy_loop_detected")
        self.offer(FOUR[0])
        refused = self.refused()
        self.assertEqual(refused.refusal.kind, "proxy_loop_detected")
        self.assertEqual(refused.tried[0].result, "proxy_loop_detected")

    def test_prohibitedAndFailed(self) -> None:
        """
        Where one is prohibited and another fails, the failure is what happened.
        """
        self.denials[FOUR[0]] = deny(FOUR[0])
        self.offer(*FOUR[:2])
        self.attempts[0].fail(errno.ECONNREFUSED)
        refused = self.refused()
        self.assertEqual(refused.refusal.kind, "connection_refused")
        self.assertEqual(refused.refusal.rule, "")
        self.assertEqual(
            [each.result for each in refused.tried], ["destination_ip_prohibited", "connection_refused"]
        )

    def test_ruleThatFails(self) -> None:
        """
        A rule that raises ends the race with its own error, and what is under way is
        aborted: whoever waits is not left to wait.
        """
        self.offer(*FOUR)
        self.denials = BrokenRule()
        self.reactor.advance(ATTEMPT_DELAY)
        self.failureResultOf(self.result, ZeroDivisionError)
        self.assertTrue(self.attempts[0].stopped)

    def test_diallingThatFails(self) -> None:
        """
        So does a reactor that raises.
        """
        self.race.connectTCP = lambda *args, **kwargs: 1 / 0
        self.offer(*FOUR)
        self.failureResultOf(self.result, ZeroDivisionError)
        self.assertEqual(self.attempts, [])

    def test_prohibitedSoFar(self) -> None:
        """
        Prohibited addresses end nothing while others may come.
        """
        self.denials[SIX[0]] = deny(SIX[0])
        self.offer(SIX[0], complete=False)
        self.assertNoResult(self.result)
        self.offer(FOUR[0])
        self.assertEqual(self.dialled(), [FOUR[0]])


class LostTests(RaceCase):
    """
    Nobody is connected.
    """

    ERRORS: dict[int, tuple[str, str]] = {
        errno.ECONNREFUSED: ("connection_refused", "connection_refused"),
        errno.ECONNRESET: ("connection_terminated", "connection_terminated"),
        errno.ETIMEDOUT: ("connection_timeout", "connection_timeout"),
        errno.ENETUNREACH: ("destination_ip_unroutable", "destination_ip_unroutable"),
        errno.EHOSTUNREACH: ("destination_ip_unroutable", "destination_ip_unroutable"),
        errno.EADDRNOTAVAIL: ("destination_unavailable", "destination_ip_unroutable"),
        errno.EMFILE: ("proxy_exhausted", "proxy_exhausted"),
        errno.ENFILE: ("proxy_exhausted", "proxy_exhausted"),
        errno.ENOBUFS: ("proxy_exhausted", "proxy_exhausted"),
        errno.ENOMEM: ("proxy_exhausted", "proxy_exhausted"),
        errno.EACCES: ("destination_unavailable", "destination_unavailable"),
        errno.EINVAL: ("destination_unavailable", "destination_unavailable"),
    }
    """What each error means: for IPv4, and for IPv6, where the lack of a local address
    is the lack of a network."""

    def failWith(self, *failures: tuple[str, int | BaseException]) -> Refused:
        """
        Have each address fail in its way.
        """
        self.reactor.attempts.clear()
        self.begin()
        self.offer(*(address for address, _ in failures))
        for number, (_, reason) in enumerate(failures):
            self.attempts[number].fail(reason)
        return self.refused()

    def test_errnos(self) -> None:
        """
        Each error of the system is of one kind, in the refusal and in what was tried, and
        the detail names what the client asked for and not the address.
        """
        for number, kinds in self.ERRORS.items():
            for address, kind in zip((FOUR[0], SIX[0]), kinds, strict=True):
                refused = self.failWith((address, number))
                self.assertEqual(refused.refusal.kind, kind, errno.errorcode[number])
                self.assertEqual(refused.tried, ((address, kind, 0.0),))
                self.assertIn(kind, KINDS)
                self.assertTrue(refused.refusal.detail.startswith("host.example:443 "))
                self.assertNotIn(address, refused.refusal.detail)

    def test_others(self) -> None:
        """
        Twisted's own timeout is one, and what says nothing is the general case.
        """
        for error, kind in (
            (ConnectTimeout(), "connection_timeout"),
            (ConnectError(), "destination_unavailable"),
            (ConnectError(osError=errno.EPERM), "destination_unavailable"),
            (UserError(), "destination_unavailable"),
            (ValueError("what"), "destination_unavailable"),
        ):
            for version in (4, 6):
                self.assertEqual(failureKind(Failure(error), version), kind)

    def test_everyKindHasWords(self) -> None:
        """
        Whatever kind an error can have, there are words for it.
        """
        kinds = {kind for pair in self.ERRORS.values() for kind in pair}
        self.assertEqual(kinds, set(module.WORDS))

    def test_several(self) -> None:
        """
        Of several failures the one that says most is told, whichever came first, with the
        number of addresses; each attempt has its own.
        """
        refused = self.failWith((FOUR[0], errno.ECONNREFUSED))
        self.assertEqual(refused.refusal.detail, "host.example:443 refused the connection")
        refused = self.failWith((SIX[0], errno.ENETUNREACH), (FOUR[0], errno.ECONNREFUSED))
        self.assertEqual(
            refused.refusal[:3],
            ("connection_refused", "host.example:443 refused the connection (2 addresses tried)", ""),
        )
        self.assertEqual(
            [each.result for each in refused.tried], ["destination_ip_unroutable", "connection_refused"]
        )

    def test_withoutIPv6(self) -> None:
        """
        A machine without IPv6 has not run out of anything: the way by IPv4 tells.
        """
        refused = self.failWith((SIX[0], errno.EADDRNOTAVAIL), (FOUR[0], errno.EHOSTUNREACH))
        self.assertEqual(refused.refusal.kind, "destination_ip_unroutable")

    def test_exhausted(self) -> None:
        """
        That the proxy has no descriptor left is told before anything else: the other
        addresses may be well.
        """
        refused = self.failWith((SIX[0], errno.ECONNREFUSED), (FOUR[0], errno.EMFILE))
        self.assertEqual(refused.refusal.kind, "proxy_exhausted")
        self.assertEqual(refused.refusal.row.status, 503)

    def test_noAddress(self) -> None:
        """
        A name without an address is told as such.
        """
        self.offer()
        refused = self.refused()
        self.assertEqual(refused.refusal[:3], ("dns_error", "the name host.example has no address", ""))
        self.assertEqual(refused.tried, ())

    def test_timesAreTold(self) -> None:
        """
        Each attempt tells how long it took.
        """
        self.offer(*FOUR[:2])
        self.reactor.advance(ATTEMPT_DELAY)
        self.reactor.advance(1.0)
        self.attempts[1].fail(errno.ECONNREFUSED)
        self.reactor.advance(1.0)
        self.attempts[0].fail(errno.ETIMEDOUT)
        self.assertEqual(
            self.refused().tried,
            (("192.0.2.1", "connection_timeout", 2.25), ("192.0.2.2", "connection_refused", 1.0)),
        )


class StoppedTests(RaceCase):
    """
    It is given up.
    """

    def stop(self) -> Refused:
        """
        What whoever keeps the deadline does.
        """
        self.race.fail(self.race.timeout())
        return self.refused()

    def test_beforeAnyAddress(self) -> None:
        """
        Before there was any address it is the look-up that took too long.
        """
        self.assertEqual(
            self.stop().refusal[:3], ("dns_timeout", "the look-up of host.example took too long", "")
        )

    def test_dialling(self) -> None:
        """
        Afterwards it is the destination; what is under way is aborted, what waits is not
        dialled, and all is told.
        """
        self.offer(*FOUR)
        self.attempts[0].fail(errno.ECONNREFUSED)
        self.reactor.advance(0.125)
        refused = self.stop()
        self.assertEqual(
            refused.refusal[:3], ("connection_timeout", "host.example:443 did not answer in time", "")
        )
        self.assertEqual(
            refused.tried,
            (("192.0.2.1", "connection_refused", 0.0), ("192.0.2.2", "aborted", 0.125)),
        )
        self.assertTrue(self.attempts[1].stopped)
        self.reactor.advance(10)
        self.assertEqual(len(self.attempts), 2)

    def test_betweenLookups(self) -> None:
        """
        Where all that came has failed or is prohibited, and only the rest of the look-up
        is waited for, that is what took too long: nobody was silent.
        """
        self.denials[SIX[1]] = deny(SIX[1])
        self.offer(*SIX[:2], complete=False)
        self.attempts[0].fail(errno.ENETUNREACH)
        refused = self.stop()
        self.assertEqual(refused.refusal.kind, "dns_timeout")
        self.assertEqual(len(refused.tried), 2)

    def test_afterwards(self) -> None:
        """
        What comes later from an attempt that was aborted changes nothing.
        """
        self.offer(FOUR[0])
        factory = self.attempts[0].factory
        self.stop()
        factory.clientConnectionFailed(None, Failure(ConnectError()))
        self.assertEqual(self.race.tried()[0].result, "aborted")
