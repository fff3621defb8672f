"""
Tests for L{connectproxy.config.whole}, by way of whole configurations.
"""

from __future__ import annotations

from typing import Any

from connectproxy.config import ConfigurationError, configure, load
from tests.config.case import LoadCase

REACHABLE = "tcp:8080"

TLS = {"endpoint": 8080, "tls_certificate": "a", "client_ca": "b", "client_certificates": "optional"}

DENY = {"default": "deny"}


class AuthenticationTests(LoadCase):
    """
    Who is asked has to have a way to answer.
    """

    def test_required(self) -> None:
        """
        A listener that asks where nothing can find out who anybody is.
        """
        ((key, _),) = self.faults(listen=[{"endpoint": 8080, "authentication": "required"}])
        self.assertEqual(key, "listen.authentication")
        for authentication in ("", "optional", "off"):
            configure(listen=[{"endpoint": 8080, "authentication": authentication}])

    def test_ways(self) -> None:
        """
        Each way is one.
        """
        listen = [{"endpoint": 8080, "authentication": "required"}]
        for auth in (
            {"basic": "me:secret"},
            {"users": "a"},
            {"digest_users": "a"},
            {"token_keys": ["a"]},
            {"checkers": ["unix"]},
        ):
            configure(listen=listen, auth=auth)
        configure(listen=listen, identity=[{"user": "a", "networks": "10.0.0.0/8"}])

    def test_place(self) -> None:
        """
        The line of the listener that asks.
        """
        text = '[[listen]]\nendpoint = 1\n[[listen]]\nendpoint = 2\nauthentication = "required"\n'
        (problem,) = self.problems(text)
        self.assertTrue(problem.startswith("F:5 [[listen]] authentication: clients have to"), problem)

    def test_requireTLS(self) -> None:
        """
        If credentials in clear text are refused, there has to be another way for them.
        """
        auth = {"basic": "me:secret", "require_tls": True}
        ((key, _),) = self.faults(auth=auth)
        self.assertEqual(key, "auth.require_tls")
        configure(auth=auth, listen=[{"endpoint": 8080, "tls_certificate": "a"}])
        configure(auth=auth, listen=[{"endpoint": "ssl:443:interface=127.0.0.1"}, {"endpoint": 8080}])


class IdentityTests(LoadCase):
    """
    What clients are known by has to come by a listener.
    """

    def test_certificate(self) -> None:
        """
        Somebody has to ask for it.
        """
        identity = [{"user": "a", "certificate": "dns:a"}]
        ((key, _),) = self.faults(identity=identity)
        self.assertEqual(key, "identity.certificate")
        configure(identity=identity, listen=[TLS])

    def test_header(self) -> None:
        """
        Somebody has to be believed.
        """
        identity = [{"user": "a", "proxy_header": "0xE0:a"}]
        ((key, _),) = self.faults(identity=identity)
        self.assertEqual(key, "identity.proxy_header")
        configure(identity=identity, listen=[{"endpoint": 8080, "proxy_protocol_from": "10.0.0.1"}])

    def test_limits(self) -> None:
        """
        Limits have to be there; one that is spelt like it is named.
        """
        identity = [{"user": "a", "networks": "10.0.0.0/8", "limits": ["slow", "fast"]}]
        ((key, message),) = self.faults(identity=identity, limit=[{"name": "slow", "tunnels": 1}])
        self.assertEqual((key, message), ("identity.limits", 'there is no limit "fast"'))


class DefaultTests(LoadCase):
    """
    A policy says how it ends.
    """

    def test_rule(self) -> None:
        """
        With a rule there has to be a default; the advice says what to write.
        """
        (problem,) = self.problems('[[rule]]\nname = "a"\naction = "allow"\n')
        self.assertEqual(
            problem,
            "F:1 [[rule]]: nothing says what happens to what none of the rules decides;"
            ' write default = "deny" or default = "allow" below [policy]',
        )
        for default in ("allow", "deny"):
            configure(rule=[{"name": "a", "action": "allow"}], policy={"default": default})

    def test_shadow(self) -> None:
        """
        So it is with a shadow.
        """
        ((key, _),) = self.faults(policy={"shadow": "a"})
        self.assertEqual(key, "policy.shadow")
        configure(policy={"shadow": "a", "default": "allow"})

    def test_list(self) -> None:
        """
        And with a list of what is allowed, which would mean nothing; the option is named
        where it is one.
        """
        ((key, _),) = self.faults(allow={"list": ["a"]})
        self.assertEqual(key, "allow.list")
        (problem,) = self.problems(None, {"allow": ("a",)})
        self.assertTrue(problem.startswith("--allow: without a default all is allowed"), problem)
        self.assertIn("--profile sandbox", problem)
        configure(allow={"list": ["a"]}, policy=DENY)

    def test_groupsNeedNone(self) -> None:
        """
        Limits and groups alone decide nothing.
        """
        configure(group=[{"name": "a", "users": "b"}], limit=[{"name": "a", "tunnels": 1}])


class ListenersOfRulesTests(LoadCase):
    """
    Rules name listeners that there are.
    """

    def rule(self, *names: str) -> dict[str, Any]:
        """
        A configuration with a rule for some listeners.
        """
        listen = [{"endpoint": 8080, "name": "inside"}, {"endpoint": "[::1]:8081"}]
        return {
            "policy": DENY,
            "listen": listen,
            "rule": [{"name": "a", "action": "deny", "listeners": names}],
        }

    def test_known(self) -> None:
        """
        By name, or by endpoint in any way of writing it; the rule has the names, each once.
        """
        names = ("127.0.0.1:8080", "inside", "8080", "[::1]:8081")
        (row,) = configure(**self.rule(*names)).rows["rule"]
        self.assertEqual(row.options["listeners"], ("inside", "tcp:8081:interface=\\:\\:1:backlog=1024"))

    def test_unknown(self) -> None:
        """
        One that is misspelt is told, with the one that was probably meant.
        """
        self.assertEqual(
            self.faults(**self.rule("insid")), [("rule.listeners", 'there is no listener "insid"')]
        )
        self.assertEqual(len(self.faults(**self.rule("x", "8082", "inside"))), 2)

    def test_overridden(self) -> None:
        """
        Where C{--listen} has replaced the file's listeners, rules for these stay.
        """
        text = '[policy]\ndefault = "deny"\n[[rule]]\nname = "a"\naction = "deny"\nlisteners = "inside"\n'
        (row,) = load(self.write(text), {"listen": ("8080",)}).rows["rule"]
        self.assertEqual(row.options["listeners"], ("inside",))
        (problem,) = self.problems(text)
        self.assertTrue(problem.startswith('F:6 [[rule]] listeners: there is no listener "inside"'), problem)


class OpenTests(LoadCase):
    """
    What other machines can reach is guarded, or is said to be open.
    """

    def isOpen(self, *, listener: Any = (), **tables: Any) -> bool:
        """
        Whether a reachable listener is refused.
        """
        listen = [{"endpoint": REACHABLE, **dict(listener)}]
        try:
            configure(listen=listen, **tables)
        except ConfigurationError:
            self.assertEqual([key for key, _ in self.faults(listen=listen, **tables)], ["proxy.open"])
            return True
        return False

    def test_ways(self) -> None:
        """
        Each way to find out who clients are is one, as long as all are asked.
        """
        self.assertTrue(self.isOpen())
        ways: tuple[dict[str, Any], ...] = (
            {"auth": {"basic": "me:secret"}},
            {"auth": {"users": "a"}},
            {"auth": {"digest_users": "a"}},
            {"auth": {"token_keys": ["a"]}},
            {"auth": {"checkers": ["unix"]}},
            {"identity": [{"user": "a", "networks": "10.0.0.0/8"}]},
        )
        for tables in ways:
            self.assertFalse(self.isOpen(**tables), tables)
            self.assertFalse(self.isOpen(listener={"authentication": "required"}, **tables), tables)
            for authentication in ("optional", "off"):
                self.assertTrue(self.isOpen(listener={"authentication": authentication}, **tables), tables)
                self.assertFalse(
                    self.isOpen(listener={"authentication": authentication}, proxy={"open": True}, **tables)
                )

    def test_certificates(self) -> None:
        """
        A certificate that every client has to have is enough, whatever is asked besides; one
        that it may have is, if those without are refused.
        """
        identity = [{"user": "a", "certificate": "dns:a"}]
        must = {**TLS, "endpoint": REACHABLE, "client_certificates": "required"}
        may = {**TLS, "endpoint": REACHABLE}
        self.assertFalse(self.isOpen(listener={**must, "authentication": "off"}))
        self.assertFalse(self.isOpen(listener=may, identity=identity))
        self.assertTrue(self.isOpen(listener={**may, "authentication": "optional"}, identity=identity))
        self.assertTrue(self.isOpen(listener=may))

    def test_anybody(self) -> None:
        """
        A name for any address at all is no guard, and passwords for the others are none
        either; a certificate besides the address is one.
        """
        for networks in ("0.0.0.0/0", "::/0", ["0.0.0.0/1", "128.0.0.0/1"]):
            identity: dict[str, Any] = {"user": "a", "networks": networks}
            self.assertTrue(self.isOpen(identity=[identity]))
            self.assertTrue(self.isOpen(identity=[identity], auth={"users": "a"}))
            shown = {**identity, "certificate": "dns:a"}
            self.assertFalse(self.isOpen(listener={**TLS, "endpoint": REACHABLE}, identity=[shown]))

    def test_sandbox(self) -> None:
        """
        The profile asks for tokens, and so may be reached.
        """
        self.assertFalse(self.isOpen(proxy={"profile": "sandbox"}))
        load(None, {"profile": "sandbox", "listen": ("0.0.0.0:8080",)})
