"""
Guesses: whoever makes them is soon not listened to, nobody else notices, and checking them
holds nothing up.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.identified import CHEAP, OTHERS, KnownCase, basic
from tests.integration.program import PASSWORD, USER
from tests.integration.raw import Answer, readAnswer, readExactly
from tests.integration.streams import Session

pytestmark = pytest.mark.integration

ATTACKER = "127.0.0.66"

RIGHT = basic(USER, PASSWORD)
WRONG = basic(USER, "guessed")

LOGINS = 200
"""Wrong ones, while messages go there and back."""

ATTACKERS = 16
"""How many of them at once."""

SLOWLY = "guesses_period = 1800"
"""Nobody is forgiven while a test runs, however busy the machine is."""

TARGET = "127.0.0.1:1025"
"""Where nobody listens: who may go there is told 502."""


class GuessCase(KnownCase):
    """
    Tests with clients at several addresses.
    """

    def guess(self, address: str, value: str) -> Answer:
        """
        Ask for a tunnel.
        """
        with self.called(address) as client:
            client.sendall(self.request(value, TARGET))
            return readAnswer(client)

    def assertWaits(self, answer: Answer) -> None:
        """
        A client has to wait for some time, and is told for how long.
        """
        self.assertEqual(answer.status, 429, answer)
        self.assertTrue(1 <= int(answer.fields["retry-after"]) <= 600, answer)
        self.assertNotIn("proxy-authenticate", answer.fields)

    def socks(self, address: str, password: str) -> bytes:
        """
        Log in by SOCKS 5.

        @return: the status of RFC 1929.
        """
        word = password.encode()
        with self.called(address) as client:
            client.sendall(b"\x05\x01\x02\x01\x03ann" + bytes([len(word)]) + word)
            return readExactly(client, 4)[3:]


class ThrottleTests(GuessCase):
    """
    Too many guesses.
    """

    def test_source(self) -> None:
        """
        From one address, over all protocols together: 429 with Retry-After, also for what is
        right, while the same user passes at another address, and the attacker by a token.
        """
        self.own(auth=f"cache = 0\n{SLOWLY}")
        self.assertEqual(self.guess("127.0.0.2", RIGHT).status, 502)
        for _ in range(5):
            self.assertEqual(self.guess(ATTACKER, WRONG).status, 407)
            self.assertNotIn(self.socks(ATTACKER, "guessed"), (b"", b"\0"))
        for value in (WRONG, RIGHT, basic("nobody", "x")):
            self.assertWaits(self.guess(ATTACKER, value))
        self.assertNotIn(self.socks(ATTACKER, PASSWORD), (b"", b"\0"))
        self.assertEqual(self.guess("127.0.0.2", RIGHT).status, 502)
        self.assertEqual(self.guess("127.0.0.3", RIGHT).status, 502)
        self.assertEqual(self.socks("127.0.0.2", PASSWORD), b"\0")
        self.assertEqual(self.guess(ATTACKER, f"Bearer {self.house.token}").status, 502)

    def test_cached(self) -> None:
        """
        What is known to be right needs no check, wherever it comes from; it is remembered by
        the credentials and never by the address.
        """
        self.own(auth=SLOWLY)
        self.assertEqual(self.guess("127.0.0.2", RIGHT).status, 502)
        for _ in range(10):
            self.guess(ATTACKER, WRONG)
        self.assertWaits(self.guess(ATTACKER, WRONG))
        self.assertEqual(self.guess(ATTACKER, RIGHT).status, 502)
        self.assertEqual(self.guess("127.0.0.2", WRONG).status, 407)

    def test_user(self) -> None:
        """
        For one user from many addresses: nobody who is not known may try that name any more,
        whoever was right there before passes, and so do other users.
        """
        self.own(auth=f"cache = 0\nguesses = 2\n{SLOWLY}")
        self.assertEqual(self.guess("127.0.0.2", RIGHT).status, 502)
        for number in range(10):
            self.assertEqual(self.guess(f"127.0.1.{number + 1}", WRONG).status, 407)
        self.assertWaits(self.guess("127.0.1.99", WRONG))
        self.assertWaits(self.guess("127.0.1.99", RIGHT))
        self.assertEqual(self.guess("127.0.0.2", RIGHT).status, 502)
        self.assertEqual(self.guess("127.0.1.99", basic("bob", OTHERS["bob"][1])).status, 502)

    def test_tokens(self) -> None:
        """
        Forged tokens count as guesses; good ones are good all the same.
        """
        self.own(auth=SLOWLY)
        for _ in range(10):
            self.guess(ATTACKER, f"Bearer {self.house.forged}")
        self.assertWaits(self.guess(ATTACKER, f"Bearer {self.house.forged}"))
        self.assertEqual(self.guess(ATTACKER, f"Bearer {self.house.token}").status, 502)

    def test_http2(self) -> None:
        """
        On the streams of one connection: 429 there, and the connection goes on.
        """
        self.own(auth=SLOWLY)
        session = self.closing(Session(self.proxy.port))
        statuses = []
        for _ in range(12):
            fields = ((":method", "CONNECT"), (":authority", TARGET), ("proxy-authorization", WRONG))
            stream = session.streams[session.ask(*fields)]
            session.until(lambda stream=stream: stream.status or stream.over)
            statuses.append(stream.status)
        self.assertEqual(statuses, [407] * 10 + [429] * 2)
        self.assertFalse(session.closed)

    def test_asked(self) -> None:
        """
        To give none is no guess: that is how most clients begin.
        """
        self.own()
        for _ in range(12):
            with self.called(ATTACKER) as client:
                client.sendall(self.request(None, TARGET))
                self.assertEqual(readAnswer(client).status, 407)
        self.assertEqual(self.guess(ATTACKER, RIGHT).status, 502)


class ProgressTests(GuessCase):
    """
    While passwords are being hashed.
    """

    more = {"auth": "guesses = 0"}

    def test_messages(self) -> None:
        """
        A tunnel's messages go there and back many times for each of two hundred wrong
        passwords, with bcrypt and argon2: were they hashed in the reactor's thread, each
        would have to wait for some.  Others can log in meanwhile.
        """
        origin = self.origin()
        client = self.called("127.0.0.2")
        client.sendall(self.request(RIGHT, f"127.0.0.1:{origin.getsockname()[1]}"))
        self.assertEqual(readAnswer(client).status, 200)
        peer = self.accept(origin)
        over, statuses = threading.Event(), []

        def attack() -> None:
            def one(number: int) -> None:
                user = CHEAP[number % 2]
                statuses.append(self.guess(ATTACKER, basic(user, f"guess {number}")).status)

            with ThreadPoolExecutor(ATTACKERS) as pool:
                list(pool.map(one, range(LOGINS)))
            over.set()

        thread = threading.Thread(target=attack)
        thread.start()
        rounds = 0
        while not over.is_set():
            self.assertPings(client, peer)
            rounds += 1
            if rounds == LOGINS:
                self.assertEqual(self.guess("127.0.0.2", RIGHT).status, 502)
        thread.join()
        self.assertEqual(statuses, [407] * LOGINS)
        self.assertGreater(rounds, 3 * LOGINS)
