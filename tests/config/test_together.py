"""
Tests for L{connectproxy.config.together}, by way of whole configurations.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.address import Networks
from connectproxy.config import ConfigurationError, configure, load


def options(**keys: Any) -> dict[str, Any]:
    """
    What one listener has.
    """
    (listener,) = configure(listen=[{"endpoint": 8080, **keys}]).listeners
    return dict(listener.options)


class SettledTests(SynchronousTestCase):
    """
    A listener gets what it can use at once.
    """

    def test_defaults(self) -> None:
        """
        Everything is spoken, without TLS.
        """
        self.assertEqual(
            options(),
            {
                "name": "tcp:8080:interface=127.0.0.1:backlog=1024",
                "authentication": "",
                "protocols": ("http/1.1", "h2", "socks5", "socks4"),
                "tls_certificate": (),
                "tls_key": (),
                "require_tls": False,
                "client_certificates": "none",
                "client_ca": "",
                "proxy_protocol_from": Networks(),
            },
        )

    def test_name(self) -> None:
        """
        A listener without a name is called by its endpoint.
        """
        self.assertEqual(options(name="inside")["name"], "inside")

    def test_authentication(self) -> None:
        """
        Whether clients are asked stays as it was said: a reload may bring users.
        """
        self.assertEqual(options(authentication="optional")["authentication"], "optional")
        (listener,) = configure(auth={"basic": "me:secret"}).listeners
        self.assertEqual(listener.options["authentication"], "")

    def test_keys(self) -> None:
        """
        Each certificate has a key's file, its own if none is named.
        """
        found = options(tls_certificate=["a", "b"])
        self.assertEqual((found["tls_certificate"], found["tls_key"]), (("a", "b"), ("a", "b")))
        found = options(tls_certificate=["a", "b"], tls_key=["c", "b"])
        self.assertEqual((found["tls_certificate"], found["tls_key"]), (("a", "b"), ("c", "b")))

    def test_optionsArePaired(self) -> None:
        """
        In the order in which they were given, for every listener that is an option.
        """
        config = load(
            None,
            {
                "listen": ("1", "2"),
                "tls-certificate": ("a", "b"),
                "tls-key": ("c", "d"),
                "proxy-protocol-from": ("127.0.0.1", "::1"),
            },
        )
        for listener in config.listeners:
            self.assertEqual(
                [listener.options[name] for name in ("tls_certificate", "tls_key", "proxy_protocol_from")],
                [("a", "b"), ("c", "d"), Networks.parse("127.0.0.1", "::1")],
            )

    def test_requiredCertificatesRequireTLS(self) -> None:
        """
        Or a client could do without a certificate by doing without TLS.
        """
        keys = {"tls_certificate": "a", "client_ca": "b"}
        self.assertTrue(options(client_certificates="required", **keys)["require_tls"])
        self.assertFalse(options(client_certificates="optional", **keys)["require_tls"])
        self.assertTrue(options(tls_certificate="a", require_tls=True)["require_tls"])


class DisagreementTests(SynchronousTestCase):
    """
    What does not go together is reported where it was said.
    """

    def problem(self, **keys: Any) -> str:
        """
        The one thing that is wrong with a listener.
        """
        error = self.assertRaises(ConfigurationError, options, **keys)
        (problem,) = error.problems
        return str(problem)

    def test_tables(self) -> None:
        """
        Each with its key, what is wrong and what would be right.
        """
        for keys, key, words, advice in (
            (
                {"endpoint": "ssl:443:interface=127.0.0.1", "tls_certificate": "a"},
                "tls_certificate",
                "has TLS of its own",
                "tcp:",
            ),
            ({"tls_key": "a"}, "tls_key", "0 certificates and 1 keys", "same order"),
            (
                {"tls_key": ["a"], "tls_certificate": ["a", "b"]},
                "tls_key",
                "2 certificates and 1 keys",
                "none",
            ),
            (
                {"client_certificates": "required"},
                "client_certificates",
                "only within TLS",
                "tls_certificate",
            ),
            (
                {"client_certificates": "optional", "tls_certificate": "a"},
                "client_certificates",
                "whose certificates",
                "client_ca",
            ),
            ({"client_ca": "a"}, "client_ca", "no client is asked", "client_certificates"),
            ({"require_tls": True}, "require_tls", "no certificate", "tls_certificate"),
        ):
            problem = self.problem(**keys)
            self.assertTrue(problem.startswith(f"[[listen]] 1 {key}: "), problem)
            for part in (words, advice):
                self.assertIn(part, problem)

    def test_options(self) -> None:
        """
        Where an option said it, the option is named, and once for all listeners.
        """
        error = self.assertRaises(
            ConfigurationError, load, None, {"listen": ("1", "2"), "tls-key": ("a",), "tls-certificate": ()}
        )
        self.assertEqual([problem.place for problem in error.problems], ["--tls-key"])
