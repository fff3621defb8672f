"""
Tests for L{connectproxy.config.loader}.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from connectproxy.address import Networks
from connectproxy.config import loader
from connectproxy.config.endpoint import Listener
from connectproxy.config.forms import Count, Flag, Name
from connectproxy.config.loader import Config, ConfigurationError, Problem, configure, load
from connectproxy.config.schema import SCHEMA, Setting

LOCAL = "tcp:8080:interface=127.0.0.1:backlog=1024"


class LoadCase(SynchronousTestCase):
    """
    What the tests below share.
    """

    def write(self, text: str | bytes) -> str:
        """
        Make a configuration file.
        """
        self.file = self.mktemp()
        octets = text if isinstance(text, bytes) else dedent(text).encode()
        Path(self.file).write_bytes(octets)
        return self.file

    def problems(self, text: str | bytes | None = None, options: Mapping[str, Any] = {}) -> list[str]:
        """
        What is wrong with a configuration, line by line, the file called F.
        """
        path = None if text is None else self.write(text)
        error = self.assertRaises(ConfigurationError, load, path, options)
        lines = str(error).splitlines()
        self.assertEqual(len(lines), len(error.problems))
        return [line.replace(path or "\0", "F") for line in lines]


class DefaultTests(LoadCase):
    """
    What holds when nobody says anything.
    """

    def test_everySetting(self) -> None:
        """
        Every key has a value; one listener is on a loopback address.
        """
        config = load()
        expected = {setting.key for setting in SCHEMA if setting.table != "listen"}
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
        self.assertEqual(config.origin, self.file)


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
                " here can be listen, proxy, auth, allow, access_log, timeouts, limits, socks, upstream, relay",
                'F:5 [timeouts] idel: there is no key "idel" here; do you mean idle?',
                'F:6 [timeouts] tunnels: there is no key "tunnels" here; it belongs below [limits]',
                'F:7 [timeouts] colour: there is no key "colour" here; here can be head, handshake, connect,'
                " response, keep_alive, idle, half_open, lifetime, drain, linger",
                'F:8 [timeouts] endpoint: there is no key "endpoint" here; it belongs below [[listen]]',
            ],
        )

    def test_unknownTables(self) -> None:
        """
        So is a table.
        """
        self.assertEqual(
            self.problems("[timeout]\nidle = 5\n[[limit]]\n"),
            [
                'F:1 timeout: there is no table "timeout" here; do you mean timeouts?',
                'F:3 limit: there is no table "limit" here; do you mean limits?',
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
                'F:5 [[listen]] port: there is no key "port" here; here can be endpoint, protocols,'
                " tls_certificate, tls_key, require_tls, client_certificates, client_ca, proxy_protocol_from",
            ),
        ):
            self.assertEqual(self.problems(text), [expected])

    def test_notTOML(self) -> None:
        """
        A mistake of notation is reported with its line, at the end of the file too.
        """
        (problem,) = self.problems("[timeouts]\nidle = = 5\n")
        self.assertTrue(problem.startswith("F:2: is not TOML: "), problem)
        (problem,) = self.problems("[timeouts]\nidle =")
        self.assertTrue(problem.startswith("F: is not TOML: "), problem)

    def test_valuesThatParsersChokeOn(self) -> None:
        """
        A number of too many digits, and nesting without end.
        """
        (problem,) = self.problems("[timeouts]\nidle = " + "9" * 5000)
        self.assertTrue(problem.startswith("F: is not TOML: "), problem)
        (problem,) = self.problems("a = " + "[" * 100_000)
        self.assertTrue(problem.startswith("F: is nested too deeply") or "is not TOML" in problem, problem)

    def test_notUTF8(self) -> None:
        """
        The line of the first octet that is wrong.
        """
        self.assertEqual(self.problems(b"# 1\n# 2\xff\n"), ["F:2: is not UTF-8; save the file as UTF-8"])

    def test_noFile(self) -> None:
        """
        A file that isn't there, or can't be read, is a problem of C{--config}; those of
        the options are reported all the same.
        """
        missing = self.mktemp()
        error = self.assertRaises(ConfigurationError, load, missing, {"idle-timeout": "x"})
        place = f"--config: cannot read {missing}: No such file or directory; name a file that can be read"
        self.assertIn(place, str(error).splitlines())
        self.assertEqual(len(error.problems), 2)


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

    def test_problemsWithoutAdvice(self) -> None:
        """
        Where the message says it all, nothing is appended.
        """
        self.assertEqual(str(Problem("k", "P", "is wrong", "")), "P: is wrong")
        self.assertEqual(str(Problem("k", "P", "is wrong", "do right")), "P: is wrong; do right")


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
            ["x", "[timeouts] idle", "[[listen]] endpoint", "[[listen]]"],
        )


class ConfigTests(LoadCase):
    """
    L{Config} is a value.
    """

    def test_doesNotChange(self) -> None:
        """
        Neither its attributes nor its values can be set.
        """
        config = load()
        with self.assertRaises(AttributeError):
            config.id = "x"
        with self.assertRaises(AttributeError):
            del config.id
        with self.assertRaises(AttributeError):
            config.other = "x"  # type: ignore[attr-defined]
        with self.assertRaises(TypeError):
            config["timeouts.idle"] = 5  # type: ignore[index]
        self.assertFalse(hasattr(config, "__dict__"))

    def test_takesNoPartInTheCallersDictionary(self) -> None:
        """
        What it was made of may change afterwards.
        """
        values = {"a": 1}
        config = Config(values, ())
        values["a"] = 2
        self.assertEqual(config["a"], 1)

    def test_idIsOfTheEffect(self) -> None:
        """
        The same effect has the same id, however it was written; every setting counts.
        """
        same = [
            load(),
            load(None, {"listen": ("8080",), "allow-ports": "443,80", "idle-timeout": "3600.0"}),
            load(self.write("[allow]\nports = [80, 443]\n[timeouts]\nidle = 3600\n")),
        ]
        self.assertEqual(len({config.id for config in same}), 1)
        self.assertRegex(same[0].id, r"\A[0-9a-f]{8}\Z")
        others = [
            configure(allow={"ports": [80]}),
            configure(allow={"networks": ["10.0.0.0/8"]}),
            configure(relay={"splice": False}),
            configure(listen=[{"endpoint": 8081}]),
            configure(listen=[{"endpoint": 8080}, {"endpoint": 8081}]),
        ]
        self.assertEqual(len({config.id for config in (*same, *others)}), 1 + len(others))

    def test_idDoesNotDependOnTheProcess(self) -> None:
        """
        It can be compared between machines and over restarts: this one never changes
        as long as the defaults don't.
        """
        self.assertEqual(Config({"b": 1.0, "a": None}, ()).id, "524a5ef5")

    def test_repr(self) -> None:
        """
        It tells itself apart in a debugger.
        """
        self.assertIn(load().id, repr(load()))
        self.assertIn("of no file", repr(load()))
        self.assertIn(self.write(""), repr(load(self.file)))


class LaterKeysTests(LoadCase):
    """
    Keys that C{[[listen]]} tables get later find their place.
    """

    def setUp(self) -> None:
        """
        A schema with two more rows.
        """
        tables = {table: dict(settings) for table, settings in loader._TABLES.items()}
        tables["listen"]["colour"] = Setting("listen.colour", "colour", "red", Name(), "NAME", "paint")
        tables["listen"]["doors"] = Setting("listen.doors", "", 1, Count(1, 9), "", "doors")
        tables["listen"]["roof"] = Setting("listen.roof", "roof", False, Flag(), "", "roof")
        self.patch(loader, "_TABLES", tables)
        added = (tables["listen"]["colour"], tables["listen"]["roof"])
        self.patch(loader, "SCHEMA", (*loader.SCHEMA, *added))

    def added(self, listener: Listener) -> dict[str, Any]:
        """
        What a listener has of these keys.
        """
        return {name: listener.options[name] for name in ("colour", "doors", "roof")}

    def test_reachTheListener(self) -> None:
        """
        With their defaults; they are no settings of the whole.
        """
        config = configure(listen=[{"endpoint": 1, "doors": 3}, {"endpoint": 2, "colour": "blue"}])
        self.assertEqual(
            [self.added(each) for each in config.listeners],
            [{"colour": "red", "doors": 3, "roof": False}, {"colour": "blue", "doors": 1, "roof": False}],
        )
        self.assertNotIn("listen.colour", config)

    def test_optionsAreForListenersGivenAsOptions(self) -> None:
        """
        An option for such a key holds for every C{--listen}, and for the default.
        """
        config = load(None, {"listen": ("1", "2"), "colour": "blue", "roof": True})
        expected = {"colour": "blue", "doors": 1, "roof": True}
        self.assertEqual([self.added(each) for each in config.listeners], [expected, expected])
        self.assertEqual(dict(load(None, {"colour": "blue"}).listeners[0].options)["colour"], "blue")

    def test_optionsWithoutAListenerOfTheirs(self) -> None:
        """
        Where all listeners are the file's, such an option would have no effect.
        """
        path = self.write("[[listen]]\nendpoint = 1\n")
        (problem,) = self.problems("[[listen]]\nendpoint = 1\n", {"colour": "blue"})
        self.assertTrue(problem.startswith("--colour: is for listeners that are given as options"), problem)
        self.assertIn("colour in its [[listen]] tables", problem)
        config = load(path, {"listen": "2", "colour": "blue"})
        self.assertEqual(config.listeners[0].options["colour"], "blue")

    def test_complainedOfOnce(self) -> None:
        """
        However many listeners it holds for.
        """
        self.assertEqual(len(self.problems(None, {"listen": ("1", "2"), "colour": "a b"})), 1)

    def test_countForTheId(self) -> None:
        """
        They have an effect.
        """
        self.assertNotEqual(load(None, {"colour": "blue"}).id, load().id)
