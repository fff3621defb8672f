"""
Tests for L{connectproxy.config.loader}.
"""

from __future__ import annotations

import os

from connectproxy.address import Networks
from connectproxy.config import SCHEMA, ConfigurationError, configure, load
from connectproxy.config.access import ARRAYS
from tests.config.case import LOCAL, LoadCase


class DefaultTests(LoadCase):
    """
    What holds when nobody says anything.
    """

    def test_everySetting(self) -> None:
        """
        Every key has a value; one listener is on a loopback address.
        """
        config = load()
        expected = {setting.key for setting in SCHEMA if setting.table not in ("listen", *ARRAYS)}
        self.assertEqual(set(config), expected)
        self.assertEqual(len(config), len(expected))
        self.assertEqual([each.endpoint for each in config.listeners], [LOCAL])
        self.assertEqual(config.origin, "")

    def test_values(self) -> None:
        """
        The defaults that the documentation promises.
        """
        config = load()
        self.assertEqual(config["allow.ports"], ((80, 80), (443, 443)))
        self.assertEqual(config["allow.networks"], Networks())
        self.assertEqual(config["timeouts.connect"], 10.0)
        self.assertEqual(config["limits.tunnels"], 0)
        self.assertIs(config["relay.splice"], True)
        self.assertIs(config["proxy.open"], False)

    def test_emptyFile(self) -> None:
        """
        A file may say nothing.
        """
        config = load(self.write(""))
        self.assertEqual(config, load())
        self.assertEqual(config.origin, os.path.abspath(self.file))


class FileTests(LoadCase):
    """
    What a file says.
    """

    def test_tables(self) -> None:
        """
        Every table's keys become values; listeners keep their order and know where they
        were written.
        """
        path = self.write(
            """
            timeouts.idle = 60
            [allow]
            ports = "any"
            networks = ["10.0.0.0/8"]
            [[listen]]
            endpoint = "127.0.0.1:3128"
            [[listen]]
            endpoint = "unix:/run/proxy"
            """
        )
        config = load(path)
        self.assertEqual(config["timeouts.idle"], 60.0)
        self.assertIs(config["allow.ports"], None)
        self.assertEqual(config["allow.networks"], Networks.parse("10.0.0.0/8"))
        first, second = config.listeners
        self.assertEqual(first.endpoint, "tcp:3128:interface=127.0.0.1:backlog=1024")
        self.assertEqual(first.where, f"{path}:6 [[listen]]")
        self.assertEqual(second.endpoint, "unix:/run/proxy:backlog=1024")
        self.assertEqual(second.where, f"{path}:8 [[listen]]")

    def test_inlineListeners(self) -> None:
        """
        TOML's other notation for an array of tables.
        """
        config = load(self.write('listen = [{endpoint = "8081"}, {endpoint = 8082}]'))
        self.assertEqual(len(config.listeners), 2)

    def test_valuesOfTheWrongForm(self) -> None:
        """
        The message has file, line, table and key, what is wrong and what would be right.
        """
        (problem,) = self.problems("[timeouts]\nhead = 5\nidle = true\n")
        self.assertEqual(
            problem,
            "F:3 [timeouts] idle: true is not a number; give seconds from 0.1 to 604800, without quotes",
        )

    def test_unknownKeys(self) -> None:
        """
        A key that means nothing is an error, with the key that was probably meant: one
        that is spelt like it, or one of the same name elsewhere; else all there are.
        """
        self.assertEqual(
            self.problems(
                """
                idle = 5
                colour = "red"
                [timeouts]
                idel = 5
                tunnels = 5
                colour = "red"
                endpoint = 1
                """
            ),
            [
                'F:2 idle: there is no key "idle" here; it belongs below [timeouts]',
                'F:3 colour: there is no key "colour" here;'
                " here can be listen, proxy, auth, identity, group, policy, rule, allow, access_log, timeouts, limits,"
                " limit, audit, control, socks, route, upstream, direct, relay",
                'F:5 [timeouts] idel: there is no key "idel" here; do you mean idle?',
                'F:6 [timeouts] tunnels: there is no key "tunnels" here; it belongs below [limits] or [[limit]] or [[upstream]]',
                'F:7 [timeouts] colour: there is no key "colour" here; here can be head, handshake, connect,'
                " response, keep_alive, first_flight, idle, half_open, lifetime, drain, linger",
                'F:8 [timeouts] endpoint: there is no key "endpoint" here; it belongs below [[listen]] or [[upstream]]',
            ],
        )

    def test_unknownTables(self) -> None:
        """
        So is a table.
        """
        self.assertEqual(
            self.problems("[timeout]\nidle = 5\n[[rules]]\n"),
            [
                'F:1 timeout: there is no table "timeout" here; do you mean timeouts?',
                'F:3 rules: there is no table "rules" here; do you mean rule?',
            ],
        )

    def test_tablesThatAreNone(self) -> None:
        """
        A value where a table belongs, and an array of tables where one belongs.
        """
        self.assertEqual(
            self.problems("timeouts = 5\n[[allow]]\nports = 5\n"),
            [
                "F:2 allow: allow is an array and not a table; write it as [allow]",
                "F:1 timeouts: timeouts is 5 and not a table; write it as [timeouts]",
            ],
        )

    def test_listenersThatAreNone(self) -> None:
        """
        Every way to get C{[[listen]]} wrong.
        """
        for text, expected in (
            ('[listen]\nendpoint = "8080"', "F:1 listen: there can be several listeners; write [[listen]]"),
            ("listen = 8080", "F:1 [[listen]]: listen is 8080 and not a table; write it as [[listen]]"),
            ('listen = "8080"', 'F:1 [[listen]]: listen is "8080" and not a table; write it as [[listen]]'),
            ("listen = []", "F:1 listen: there is no listener; add a [[listen]] table"),
            (
                "[[listen]]",
                'F:1 [[listen]]: the listener has no endpoint; add one, as in endpoint = "127.0.0.1:8080"',
            ),
            (
                '[[listen]]\nendpoint = "8080"\n[[listen]]\nendpoint = "8081"\nport = 1',
                'F:5 [[listen]] port: there is no key "port" here; here can be endpoint, name,'
                " protocols, tls_certificate, tls_key, require_tls, client_certificates, client_ca,"
                " proxy_protocol_from, authentication",
            ),
        ):
            self.assertEqual(self.problems(text), [expected])


class OptionTests(LoadCase):
    """
    What options say.
    """

    def test_values(self) -> None:
        """
        Texts, repeated texts and flags.
        """
        config = load(
            None,
            {
                "listen": ("8081", "0.0.0.0:8082"),
                "allow-network": ("10.0.0.0/8", "fd00::/8"),
                "allow-ports": "22",
                "idle-timeout": "1.5",
                "open": True,
                "max-tunnels": None,
            },
        )
        self.assertEqual(
            [(each.endpoint.split(":")[1], each.where) for each in config.listeners],
            [("8081", "--listen"), ("8082", "--listen")],
        )
        self.assertEqual(config["allow.networks"], Networks.parse("10.0.0.0/8", "fd00::/8"))
        self.assertEqual(config["allow.ports"], ((22, 22),))
        self.assertEqual(config["timeouts.idle"], 1.5)
        self.assertEqual(config["limits.tunnels"], 0)

    def test_oneTextForSeveral(self) -> None:
        """
        An embedder may leave out the tuple.
        """
        config = load(None, {"listen": "8081", "allow-network": "10.0.0.0/8"})
        self.assertEqual([each.endpoint for each in config.listeners], [LOCAL.replace("8080", "8081")])
        self.assertEqual(config["allow.networks"], Networks.parse("10.0.0.0/8"))

    def test_overrideTheFile(self) -> None:
        """
        Key by key: what an option says replaces the whole value, and C{--listen} all
        listeners; the file's other keys stay.
        """
        path = self.write(
            """
            [[listen]]
            endpoint = 1
            [[listen]]
            endpoint = 2
            [allow]
            networks = ["10.0.0.0/8"]
            [timeouts]
            idle = 5
            drain = 5
            """
        )
        config = load(path, {"listen": ("8080",), "allow-network": ("fd00::/8",), "idle-timeout": "7"})
        self.assertEqual([each.endpoint for each in config.listeners], [LOCAL])
        self.assertEqual(config["allow.networks"], Networks.parse("fd00::/8"))
        self.assertEqual((config["timeouts.idle"], config["timeouts.drain"]), (7.0, 5.0))

    def test_whatIsOverriddenIsCheckedAllTheSame(self) -> None:
        """
        Or it would surprise whoever leaves out the option next time.
        """
        problems = self.problems(
            '[[listen]]\nendpoint = "no"\n[timeouts]\nidle = 0\n', {"listen": "8080", "idle-timeout": "5"}
        )
        self.assertEqual(len(problems), 2)

    def test_place(self) -> None:
        """
        The message begins with the option as it is typed; of several, each has its own.
        """
        self.assertEqual(
            self.problems(None, {"idle-timeout": "1h", "listen": ("127.0.0.1", "8080:")})[0],
            '--idle-timeout: "1h" is not a number; give seconds from 0.1 to 604800',
        )
        self.assertEqual(
            [line.partition(" ")[0] for line in self.problems(None, {"listen": ("127.0.0.1", "8080:")})],
            ["--listen:", "--listen:"],
        )

    def test_unknown(self) -> None:
        """
        An option that the schema doesn't have is a mistake of the program.
        """
        self.assertRaises(KeyError, load, None, {"colour": "red"})


class AllTogetherTests(LoadCase):
    """
    Problems are collected.
    """

    def test_fromEverywhere(self) -> None:
        """
        Options, the file's keys, unknown keys and open listeners in one error, each
        with its key, and none twice.
        """
        path = self.write("[[listen]]\nendpoint = 80\nprot = 1\n[timeouts]\nidle = 0\nidel = 1\n")
        options = {
            "allow-network": ("10.0.0.1/8", "x", "x"),
            "allow-ports": "0",
            "listen": ("tcp:80", "tcp:80"),
        }
        error = self.assertRaises(ConfigurationError, load, path, options)
        self.assertEqual(
            sorted(problem.key for problem in error.problems),
            [
                "allow.networks",
                "allow.networks",
                "allow.ports",
                "listen.prot",
                "proxy.open",
                "timeouts.idel",
                "timeouts.idle",
            ],
        )


class OpenTests(LoadCase):
    """
    A proxy that strangers can reach.
    """

    def test_refused(self) -> None:
        """
        Listening where other machines can connect is refused with the reason and the
        ways out, at the place that says so.
        """
        (problem,) = self.problems(None, {"listen": ("8080", "0.0.0.0:8080")})
        self.assertTrue(
            problem.startswith("--listen: tcp:8080:interface=0.0.0.0:backlog=1024 can be"), problem
        )
        for part in (
            "open proxy",
            "127.0.0.1",
            "unix:",
            "--auth",
            "client_certificates",
            "--open",
            "[proxy]",
        ):
            self.assertIn(part, problem)
        (problem,) = self.problems('\n[[listen]]\nendpoint = "tcp:8080"\n')
        self.assertTrue(problem.startswith("F:2 [[listen]]: tcp:8080:backlog=1024 can be"), problem)

    def test_permitted(self) -> None:
        """
        By the option, and by the key.
        """
        load(None, {"listen": ("tcp:8080",), "open": True})
        load(self.write('[proxy]\nopen = true\n[[listen]]\nendpoint = "[::]:8080"\n'))

    def test_whereClientsAreAsked(self) -> None:
        """
        A password that every client has to give is enough, and so is a certificate that
        it has to have; one that it may have is not, and it counts for its listener only.
        """
        load(None, {"listen": ("tcp:8080",), "auth": "me:secret"})
        asking = """
            [[listen]]
            endpoint = "tcp:8080"
            tls_certificate = "proxy.pem"
            client_ca = "ca.pem"
            client_certificates = "required"
            """
        load(self.write(asking))
        for text, line in (
            (asking.replace("required", "optional"), 2),
            (f'{asking}[[listen]]\nendpoint = "tcp:8081"\n', 7),
        ):
            (problem,) = self.problems(text)
            self.assertTrue(problem.startswith(f"F:{line} [[listen]]: tcp:808"), problem)

    def test_onlyListenersInForce(self) -> None:
        """
        A listener that an option overrides opens nothing.
        """
        load(self.write('[[listen]]\nendpoint = "tcp:8080"\n'), {"listen": ("8080",)})


class ConfigureTests(LoadCase):
    """
    L{configure}, for programs.
    """

    def test_tables(self) -> None:
        """
        The tables of the file are the arguments.
        """
        config = configure(listen=[{"endpoint": "8081"}], timeouts={"idle": 60}, relay={"splice": False})
        self.assertEqual([each.endpoint for each in config.listeners], [LOCAL.replace("8080", "8081")])
        self.assertEqual(config["timeouts.idle"], 60.0)
        self.assertIs(config["relay.splice"], False)
        self.assertEqual(configure(), load())

    def test_problems(self) -> None:
        """
        Places are tables and keys.
        """
        error = self.assertRaises(
            ConfigurationError, configure, listen=[{"endpoint": "no"}, {}], timeouts={"idle": -1}, x=1
        )
        self.assertEqual(
            [problem.place for problem in error.problems],
            ["x", "[timeouts] idle", "[[listen]] 1 endpoint", "[[listen]] 2"],
        )
