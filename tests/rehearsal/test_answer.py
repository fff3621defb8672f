"""
Tests for L{connectproxy.rehearsal.answer}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.errors import KINDS, Refusal
from connectproxy.rehearsal.answer import Answer, refused


class RefusedTests(SynchronousTestCase):
    """
    L{refused}.
    """

    def test_words(self) -> None:
        """
        The operator's words go before those of the kind, and status and kind are its row's.
        """
        answer = refused(Refusal("http_request_denied", "why", "rule", "ask me"), ("a note",))
        self.assertEqual(
            answer, Answer("deny", "rule", "why", "ask me", 403, "http_request_denied", notes=("a note",))
        )

    def test_rowsWords(self) -> None:
        """
        Without any, the client is told what the kind says, whichever it is.
        """
        for name, row in KINDS.items():
            answer = refused(Refusal(name))
            self.assertEqual((answer.message, answer.status, answer.kind), (row.remedy, row.status, name))
