"""
Tests for L{connectproxy.config.marks}.
"""

from __future__ import annotations

from connectproxy.config.marks import CertificateMarks, HeaderMarks
from tests.config.formcase import FormCase


class CertificateTests(FormCase):
    """
    Names in a client's certificate.
    """

    def test_read(self) -> None:
        """
        Each kind; names of hosts in small letters, fingerprints without colons.
        """
        digits = "ab" * 32
        said = [
            "subject:CN=CI-*,O=Example",
            "dns:*.CI.example.com",
            "email:*@example.com",
            "uri:spiffe://example.com/ci/*",
            f"fingerprint:{digits.upper()}",
            "fingerprint:" + ":".join(["AB"] * 32),
        ]
        self.assertEqual(
            CertificateMarks().fromTOML(said),
            (
                "subject:CN=CI-*,O=Example",
                "dns:*.ci.example.com",
                "email:*@example.com",
                "uri:spiffe://example.com/ci/*",
                f"fingerprint:{digits}",
            ),
        )
        self.assertEqual(CertificateMarks().fromTOML("dns:a"), ("dns:a",))
        self.assertEqual(CertificateMarks().fromTOML([]), ())

    def test_refused(self) -> None:
        """
        Without a kind, of another kind, without a pattern; half a fingerprint.
        """
        marks = CertificateMarks()
        self.assertRefuses(
            marks, ["example.com", "", ":a", "name:a", "DNS:a", "0xE0:a", 5, None, {}], "does not say"
        )
        self.assertRefuses(marks, ["dns:", "dns: ", "subject:a\nb", "uri:\u202e"], "nothing to compare")
        self.assertRefuses(
            marks, ["fingerprint:ab", "fingerprint:*", f"fingerprint:{'g' * 64}"], "openssl x509"
        )
        self.assertEqual(len(self.refused(marks, ["a", "dns:b", "c"])), 2)


class HeaderTests(FormCase):
    """
    Values in a PROXY protocol header.
    """

    def test_read(self) -> None:
        """
        By name, or by number in one way of writing.
        """
        said = ["ssl_cn:CI-*", "authority:*.example.com", "unique_id:*", "0xe0:a:b", "0XE0:a:b"]
        expected = ("ssl_cn:CI-*", "authority:*.example.com", "unique_id:*", "0xE0:a:b")
        self.assertEqual(HeaderMarks().fromTOML(said), expected)

    def test_refused(self) -> None:
        """
        Kinds that are none.
        """
        wrong = ["dns:a", "0xE:a", "0xE00:a", "E0:a", "224:a", "a", 5]
        self.assertRefuses(HeaderMarks(), wrong, "does not say")
