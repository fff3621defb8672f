"""
Tests for L{connectproxy.upstreams.group.blame}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import KINDS, Refusal, Refused
from connectproxy.interfaces import Attempt
from connectproxy.race import WORDS
from connectproxy.upstreams.group.blame import Blame, blameOf, wordsOf


class BlameTests(SynchronousTestCase):
    """
    Who is at fault.
    """

    def blame(self, kind: str, hop: str = "", received: int = 0, *tried: str) -> Blame:
        """
        Find out for a refusal.
        """
        attempts = tuple(Attempt("192.0.2.1", result, 0.1) for result in tried)
        return blameOf(Refused(Refusal(kind, "x", received=received), attempts, hop=hop))

    def test_hop(self) -> None:
        """
        Who can't be connected to, speaks another protocol, or has the wrong certificate is at
        fault, whatever was asked.
        """
        for kind in (
            *("connection_refused", "connection_timeout", "dns_error", "destination_unavailable"),
            *("next_hop_protocol_error", "next_hop_authentication_failed", "tls_certificate_error"),
            "upstream_unavailable",
        ):
            self.assertIs(self.blame(kind, "a"), Blame.HOP, kind)

    def test_doubt(self) -> None:
        """
        Silence, a 503 and a closed connection are what a dead destination looks like, too.
        """
        for kind in ("next_hop_silent", "next_hop_unavailable", "next_hop_gone"):
            self.assertIs(self.blame(kind, "a", 0, "connected"), Blame.DOUBT, kind)

    def test_destination(self) -> None:
        """
        Who answers is up: by a status, or by any word on a connection that was there.
        """
        self.assertIs(self.blame("next_hop_denied", "", 403), Blame.DESTINATION)
        self.assertIs(self.blame("connection_refused", "", 0, "aborted", "connected"), Blame.DESTINATION)

    def test_nobody(self) -> None:
        """
        What this proxy denies, or lacks, says nothing of a hop, even where it was to be
        connected to.
        """
        self.assertIs(self.blame("destination_ip_prohibited"), Blame.NOBODY)
        self.assertIs(self.blame("connection_refused", "", 0, "connection_refused"), Blame.NOBODY)
        self.assertIs(self.blame("proxy_exhausted", "a"), Blame.NOBODY)
        self.assertIs(self.blame("connection_limit_reached", "a"), Blame.NOBODY)


class WordsTests(SynchronousTestCase):
    """
    What a client hears of others' failures.
    """

    def test_nothingOfOthers(self) -> None:
        """
        There are words for every kind, and nothing of the detail, where another client's
        destination may stand.
        """
        for kind in KINDS:
            words = wordsOf(Refusal(kind, "the request for secret.example:443 failed"))
            self.assertTrue(words and "secret" not in words)

    def test_words(self) -> None:
        """
        Those of a connection that failed are the usual ones; what has none is called by its
        code.
        """
        self.assertEqual(wordsOf(Refusal("connection_refused")), WORDS["connection_refused"])
        self.assertEqual(wordsOf(Refusal("next_hop_silent")), "did not answer in time")
        self.assertEqual(wordsOf(Refusal("http_protocol_error")), "failed (http_protocol_error)")
