"""
Tests for L{connectproxy.prepare}.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connectproxy import prepare as module
from connectproxy.config import Config, ConfigurationError, configure, load
from connectproxy.config.schema import SCHEMA
from connectproxy.prepare import ATTEMPTS, LIVE, LOOKS, QUIET, Prepared, Unusable, discard, prepare, unchanged
from connectproxy.tls import ServerTLS, TLSOptions
from connectproxy.watch import stamps
from tests.fakes import FakeReactor, makeBase
from tests.listeners.auto.tlspeer import certified


class PrepareTests(SynchronousTestCase):
    """
    L{prepare} with files.
    """

    def setUp(self) -> None:
        """
        A configuration with a list.
        """
        self.reactor = FakeReactor()
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.list = self.directory / "list"
        self.list.write_text("one.example\n")
        os.utime(self.list, (1, 1))
        self.file = self.directory / "proxy.toml"
        self.file.write_text('[policy]\ndefault = "deny"\n[allow]\nlist = "list"\n')
        self.reads = 0
        self.slept: list[float] = []
        self.patch(module, "sleep", self.slept.append)

    def again(self) -> Config:
        self.reads += 1
        return load(str(self.file))

    def prepare(self, **more: Any) -> Prepared:
        known = more.pop("known", [str(self.file), str(self.list)])
        return prepare(makeBase(self.reactor), more.pop("again", self.again), known, **more)

    def unusable(self, **more: Any) -> Unusable:
        error: Unusable = self.assertRaises(Unusable, self.prepare, **more)
        return error

    def test_everything(self) -> None:
        """
        What was read, and what the files looked like, is there.
        """
        prepared = self.prepare()
        self.assertEqual(prepared.regime.config["policy.default"], "deny")
        self.assertIsNone(prepared.regime.shadow)
        self.assertIsNone(prepared.regime.authenticator)
        self.assertEqual(prepared.seen, stamps([str(self.file), str(self.list)]))
        self.assertEqual((prepared.notes, prepared.certificates, prepared.limits), ((), (), ()))
        self.assertEqual(self.reads, 1)

    def test_id(self) -> None:
        """
        The id is the configuration's where there are no lists; each state of these has its
        own, and the same state the same.
        """
        config = configure()
        self.assertEqual(self.prepare(again=lambda: config).regime.id, config.id)
        first = self.prepare().regime.id
        self.list.write_text("two.example\n")
        second = self.prepare().regime.id
        self.list.write_text("one.example\n")
        self.assertEqual(self.prepare().regime.id, first)
        self.assertEqual(len({first, second, load(str(self.file)).id}), 3)

    def test_problems(self) -> None:
        """
        All that is wrong with a configuration, or with a list, is told with its place.
        """
        self.file.write_text('[policy]\ndefalt = "deny"\n[allow]\nports = "none"\n')
        problems = self.unusable().problems
        self.assertEqual(len(problems), 2)
        self.assertIn(f"{self.file}:2 [policy] defalt", problems[0])
        self.setUp()
        self.list.write_text("no name\n")
        error = self.unusable()
        self.assertIn(f"{self.list}:1", error.problems[0])
        self.assertEqual(error.seen, stamps([str(self.file), str(self.list)]))

    def test_shadow(self) -> None:
        """
        The shadow is read with the rest, and has its say about whether it can be used.
        """
        shadow = self.directory / "shadow.toml"
        shadow.write_text('[policy]\ndefault = "allow"\n')
        self.file.write_text('[policy]\ndefault = "deny"\nshadow = "shadow.toml"\n')
        prepared = self.prepare()
        self.assertIsNotNone(prepared.regime.shadow)
        self.assertIn(str(shadow), prepared.seen)
        shadow.write_text("[policy]\n")
        self.assertIn(str(shadow), self.unusable().problems[0])

    def test_limits(self) -> None:
        """
        So are the tables of limits, and the lists that they name.
        """
        self.file.write_text('[[limit]]\nname = "few"\nusers = ["@users"]\ntunnels = 2\n')
        self.assertIn(str(self.directory / "users"), self.unusable().problems[0])
        users = self.directory / "users"
        users.write_text("ci\n")
        prepared = self.prepare()
        self.assertEqual([each.name for each in prepared.limits], ["few"])
        self.assertIn(str(users), prepared.seen)

    def test_allAtOnce(self) -> None:
        """
        What is wrong with the policy, its shadow, users, limits and certificates is told
        together, each once, and what was made of the rest is let go of.
        """
        (self.directory / "group").write_text("\x00\n")
        pems = [self.directory / name for name in ("one.pem", "two.pem")]
        for pem in pems:
            pem.write_bytes(Path(certified().file).read_bytes())
        listeners = "".join(
            f'[[listen]]\nendpoint = "127.0.0.1:{8080 + number}"\ntls_certificate = "{pem}"\n'
            for number, pem in enumerate(pems)
        )
        self.file.write_text(
            f'{listeners}[policy]\ndefault = "deny"\nshadow = "shadow.toml"\n[allow]\nlist = "nolist"\n'
            '[auth]\nusers = "nousers"\n[[limit]]\nname = "few"\nusers = ["@nolimit"]\ntunnels = 2\n'
            '[[group]]\nname = "ops"\nusers = ["@group"]\n'
        )
        (self.directory / "shadow.toml").write_text('[policy]\ndefault = "maybe"\n')
        servers = {
            (number, listener.endpoint): ServerTLS(TLSOptions(((str(pem), str(pem)),)))
            for number, (listener, pem) in enumerate(zip(self.again().listeners, pems, strict=True))
        }
        servers[9, "tcp:9"] = ServerTLS(TLSOptions(((str(pems[0]), str(pems[0])),)))
        for pem in pems:
            pem.write_text("nothing")
        problems = self.unusable(servers=servers).problems
        expected = (
            f"{self.directory}/nolist", f"{self.directory}/group:1: ", f"{self.directory}/shadow.toml:2 ",
            f"{self.directory}/nousers", f"{self.directory}/nolimit", f"{self.file}:1 [[listen]]",
            f"{self.file}:4 [[listen]]", "tcp:9: ",
        )  # fmt: skip
        for part in expected:
            self.assertEqual(sum(part in each for each in problems), 1, (part, problems))
        self.assertEqual(len(problems), len(expected), problems)
        self.assertIn("there is no certificate", problems[-1])

    def test_letGo(self) -> None:
        """
        What knows the users is let go of where something else can't be used.
        """
        users = '[auth]\nbasic = "a:b"\n[policy]\ndefault = "deny"\n[allow]\nlist = "nolist"\n'
        self.file.write_text(users)
        gone: list[Any] = []
        self.patch(module, "discard", gone.append)
        self.unusable()
        (regime,) = gone
        self.assertIsNotNone(regime.authenticator)
        self.assertIsNone(regime.policy)
        discard(regime)

    def test_goneMeanwhile(self) -> None:
        """
        A list that has gone since it was read is a problem like any other.
        """

        def gone(config: Any, *policies: Any) -> str:
            raise FileNotFoundError(2, "No such file or directory", str(self.list))

        self.patch(module, "_id", gone)
        (problem,) = self.unusable().problems
        self.assertIn(str(self.list), problem)

    def test_changedMeanwhile(self) -> None:
        """
        A list that is replaced while it is read is read again, so that what is in force is
        one state of it or the other.
        """

        def replaced() -> Config:
            config = self.again()
            if self.reads == 1:
                self.list.write_text("two.example\n")
            return config

        prepared = self.prepare(again=replaced)
        self.assertEqual(self.reads, 2)
        self.assertEqual(prepared.seen, stamps([str(self.file), str(self.list)]))

    def test_beingWritten(self) -> None:
        """
        A reload waits for a file to be left alone, but not for ever; the start does not.
        """
        self.list.write_text("two.example\n")
        self.prepare()
        self.assertEqual(self.slept, [])
        self.prepare(started=self.again())
        self.assertEqual(self.slept, [QUIET / 1e9] * LOOKS)  # time stands still
        self.slept.clear()
        self.patch(module, "stamps", lambda names: dict.fromkeys(names, (1, 1, 1, 1, 1)))
        self.prepare(started=self.again())
        self.assertEqual(self.slept, [])

    def test_newMeanwhile(self) -> None:
        """
        So is one that nobody knew of, if it has just been written.
        """
        self.list.write_text("two.example\n")
        self.prepare(known=[])
        self.assertEqual(self.reads, 2)

    def test_halfMeanwhile(self) -> None:
        """
        What is wrong only because a file was being written is no problem.
        """

        def half() -> Config:
            if self.reads == 0:
                whole = self.file.read_text()
                self.file.write_text("[poli")
                try:
                    return self.again()
                finally:
                    self.file.write_text(whole)
            return self.again()

        self.assertEqual(self.prepare(again=half).regime.config["policy.default"], "deny")
        self.assertEqual(self.reads, 2)

    def test_neverStill(self) -> None:
        """
        A file that never stands still is a problem of its own, and keeps nobody for ever.
        """

        def moving() -> Config:
            self.list.write_text(f"a{self.reads}.example\n" * (self.reads + 1))
            return self.again()

        (problem,) = self.unusable(again=moving).problems
        self.assertIn(f"{self.list}: changes again and again", problem)
        self.assertEqual(self.reads, ATTEMPTS)

        def broken() -> Config:
            self.list.write_text("a b\n" * (self.reads + 1))
            return self.again()

        self.reads = 0
        (problem,) = self.unusable(again=broken).problems
        self.assertIn("again and again", problem)

    def test_vain(self) -> None:
        """
        What knows the users is let go of where it was made in vain.
        """
        users = '[auth]\nbasic = "a:b"\n[policy]\ndefault = "deny"\n[allow]\nlist = "list"\n'
        self.file.write_text(users)
        closed: list[Any] = []
        self.patch(module, "discard", closed.append)

        def replaced() -> Config:
            self.list.write_text("two.example\n" * (self.reads + 1))
            return self.again()

        self.unusable(again=replaced)
        self.assertEqual(len(closed), ATTEMPTS)
        for regime in closed:
            discard(regime)

    def test_certificates(self) -> None:
        """
        Certificates are read if they are others by now, by content or by name; what is in
        use has not changed by that.
        """
        file = self.directory / "proxy.pem"
        file.write_bytes(Path(certified("one.example").file).read_bytes())
        self.file.write_text(f'[[listen]]\nendpoint = "127.0.0.1:8080"\ntls_certificate = "{file}"\n')
        endpoint = self.again().listeners[0].endpoint
        server = ServerTLS(TLSOptions(((str(file), str(file)),)))
        servers = {(0, endpoint): server}
        prepared = self.prepare(servers=servers)
        self.assertEqual(prepared.certificates, ())
        self.assertIn(str(file), prepared.seen)
        file.write_bytes(Path(certified("two.example").file).read_bytes())
        ((old, new),) = self.prepare(servers=servers).certificates
        self.assertIs(old, server)
        self.assertEqual((server.names, new.names), (("one.example",), ("two.example",)))
        other = self.directory / "other.pem"
        other.write_bytes(Path(certified("three.example").file).read_bytes())
        self.file.write_text(self.file.read_text().replace("proxy.pem", "other.pem"))
        prepared = self.prepare(servers=servers)
        self.assertEqual(prepared.certificates[0][1].names, ("three.example",))
        self.assertEqual(prepared.regime.config.listeners[0].options["tls_certificate"], (str(other),))
        self.assertIn(str(other), prepared.seen)
        other.write_text("nothing")
        self.assertIn("there is no certificate", self.unusable(servers=servers).problems[0])

    def test_otherListeners(self) -> None:
        """
        Where a listener has become another one, what is in use keeps its files.
        """
        server = ServerTLS(TLSOptions(((certified().file, certified().file),)))
        for number, endpoint in ((0, "tcp:1"), (5, "tcp:8080:interface=127.0.0.1:backlog=1024")):
            self.assertEqual(self.prepare(servers={(number, endpoint): server}).certificates, ())

    def test_authorities(self) -> None:
        """
        Clients' authorities may be in another file than before.
        """
        first, second = certified().file, certified("two.example").file
        self.file.write_text(
            f'[[listen]]\nendpoint = "127.0.0.1:8080"\ntls_certificate = "{first}"\n'
            f'client_certificates = "required"\nclient_ca = "{second}"\n'
        )
        endpoint = self.again().listeners[0].endpoint
        server = ServerTLS(TLSOptions(((first, first),), "required", first))
        ((_, new),) = self.prepare(servers={(0, endpoint): server}).certificates
        self.assertEqual(new.options, TLSOptions(((first, first),), "required", second))


class UnchangedTests(SynchronousTestCase):
    """
    What a reload does not take up.
    """

    def notes(self, **tables: Any) -> list[str]:
        listen = tables.pop("listen", [{"endpoint": "127.0.0.1:8080"}])
        return list(
            unchanged(configure(listen=[{"endpoint": "127.0.0.1:8080"}]), configure(listen=listen, **tables))
        )

    def test_live(self) -> None:
        """
        Rules, users, limits and what belongs to them are taken up, and nothing is said.
        """
        self.assertEqual(
            self.notes(
                policy={"default": "deny", "contact": "ask"},
                allow={"ports": [1], "networks": ["10.0.0.0/8"]},
                auth={"basic": "a:b"},
                limits={"tunnels": 5, "ipv4_prefix": 8},
                timeouts={"connect": 3},
                rule=[{"name": "all", "action": "allow"}],
                proxy={"open": True},
            ),
            [],
        )

    def test_restart(self) -> None:
        """
        Other settings are named.
        """
        self.assertEqual(
            self.notes(relay={"splice": False}, timeouts={"idle": 5}),
            [f"{key} has changed: that takes a restart" for key in ("timeouts.idle", "relay.splice")],
        )

    def test_direct(self) -> None:
        """
        What is said to destinations is none of them: the way there is made anew.
        """
        self.assertEqual(self.notes(direct={"proxy_protocol": "v1"}), [])

    def test_listeners(self) -> None:
        """
        So are other endpoints, and what a listener does besides its certificates.
        """
        self.assertIn("listen.endpoint has changed", self.notes(listen=[{"endpoint": "127.0.0.1:8081"}])[0])
        self.assertEqual(
            self.notes(listen=[{"endpoint": "127.0.0.1:8080", "protocols": ["socks5"]}]),
            [
                "listen.protocols of tcp:8080:interface=127.0.0.1:backlog=1024 has changed: that takes a restart"
            ],
        )
        begun = self.notes(listen=[{"endpoint": "127.0.0.1:8080", "tls_certificate": [certified().file]}])
        self.assertIn("listen.tls_certificate of", begun[0])

    def test_keys(self) -> None:
        """
        Each beginning of a live key is one of a key that there is.
        """
        keys = [setting.key for setting in SCHEMA]
        for beginning in LIVE:
            self.assertTrue(any(key.startswith(beginning) for key in keys), beginning)

    def test_error(self) -> None:
        """
        An error has what is needed to tell it.
        """
        error = Unusable(["one", "two"], {})
        self.assertEqual((error.problems, str(error)), (("one", "two"), "('one', 'two')"))
        self.assertFalse(isinstance(error, ConfigurationError))
