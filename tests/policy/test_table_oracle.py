"""
Tests for L{connectproxy.policy.table}: whatever the rules, the compiled ones decide as
rules do that are asked one after the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from connectproxy.address import embedded
from connectproxy.interfaces import Action, IPAddress, TunnelRequest, Verdict
from connectproxy.policy import Policy
from tests.policy.case import NOON, PolicyCase, request

examples = settings(deadline=None, database=None, derandomize=True, max_examples=250)

USERS = ["ann", "bob", "ci"]
GROUPS = ["dev", "ops"]
HOSTS = ["a.example", "b.a.example", "c.b.a.example", "api-1.example", "x.api-1.example", "example", "a.test"]
PATTERNS = [
    *(
        "a.example",
        ".a.example",
        "*.a.example",
        "*",
        "api-*.example",
        "*.api-*.example",
        "*-1.example",
        ".example",
    ),
    *("a.*", "b.*.example", "*.test", "*a*.example", "c.b.a.example"),
]
ADDRESSES = ["8.8.8.8", "8.8.4.4", "1.1.1.1", "2606:4700::1", "64:ff9b::808:808", "2a00::1"]
NETWORKS = [
    "8.8.8.8",
    "8.8.0.0/16",
    "1.1.1.0/24",
    "2606:4700::/32",
    "64:ff9b::/96",
    "0.0.0.0/0",
    "::/0",
    "8.8.8.0/29",
]
CLIENTS = ["192.0.2.9", "198.51.100.1", "2001:db8::1", "::ffff:192.0.2.9", None]
CLIENT_NETWORKS = ["192.0.2.0/24", "2001:db8::/32", "198.51.100.1", "0.0.0.0/0"]
SERVER_NAMES = [*HOSTS, "", "8.8.8.8", "other.test", "A.Example."]
LISTEN = [{"endpoint": f"tcp:0:interface=127.0.0.{n}", "name": name} for n, name in ((1, "one"), (2, "two"))]
TIMES = [NOON, NOON + 10 * 3600, NOON + 13 * 3600, NOON + 5 * 86400]


def some(values: list[str], most: int = 2) -> st.SearchStrategy[list[str]]:
    """
    Some values, one at least.
    """
    return st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True)


ROWS = st.fixed_dictionaries(
    {"action": st.sampled_from(["allow", "deny"])},
    optional={
        "users": some([*USERS, "*", "-"]),
        "groups": some(GROUPS),
        "clients": some(CLIENT_NETWORKS),
        "listeners": some(["one", "two"], 1),
        "protocols": some(["http/1.1", "socks5"], 1),
        "destinations": some(PATTERNS),
        "networks": some(NETWORKS),
        "ports": st.lists(
            st.sampled_from([80, 443, "400-500", "1-65535", "444-500"]), min_size=1, max_size=2
        ),
        "methods": some(["CONNECT", "GET"], 1),
        "schemes": some(["tcp", "udp", "http"]),
        "days": some(["mon", "tue", "sat"]),
        "hours": some(["08:00-18:00", "22:00-06:00"], 1),
        "zone": st.sampled_from(["UTC", "Asia/Tokyo"]),
        "server_names": some(PATTERNS),
        "server_name": st.sampled_from(["same", "other"]),
        "report": st.just(True),
    },
).map(lambda row: {**row, "action": "deny"} if row.get("report") else row)

REQUESTS = st.builds(
    lambda host, port, user, groups, client, listener, protocol, method: request(
        f"{host}:{port}", user, *groups, client=client, listener=listener, protocol=protocol, method=method
    ),
    st.sampled_from([*HOSTS, "8.8.8.8", "[2606:4700::1]", "[64:ff9b::808:808]"]),
    st.sampled_from([80, 443, 8080]),
    st.sampled_from([None, *USERS]),
    st.sets(st.sampled_from(GROUPS), max_size=2),
    st.sampled_from(CLIENTS),
    st.sampled_from(["one", "two"]),
    st.sampled_from(["http/1.1", "socks5"]),
    st.sampled_from(["CONNECT", "GET", "UDP ASSOCIATE"]),
)


def isName(pattern: str, name: str) -> bool:
    """
    Whether a name matches, by a regular expression.
    """
    if pattern == "*":
        return True
    prefix = ""
    if pattern.startswith("*."):
        prefix, pattern = r"([^.]+\.)+", pattern[2:]
    elif pattern.startswith("."):
        prefix, pattern = r"([^.]+\.)*", pattern[1:]
    return re.fullmatch(prefix + re.escape(pattern).replace(r"\*", "[^.]*"), name) is not None


def isWithin(address: IPAddress, networks: list[str]) -> bool:
    """
    Whether an address is in one of some networks.
    """
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return any((mapped or address) in ip_network(text) for text in networks)


def isTime(row: dict[str, Any], now: float) -> bool:
    """
    Whether a rule holds at a time: minute by minute back to where a part of the day began.
    """
    if "days" not in row and "hours" not in row:
        return True
    local = datetime.fromtimestamp(now, UTC).astimezone(ZoneInfo(row.get("zone", "UTC")))
    minute, day = 60 * local.hour + local.minute, local.weekday()
    names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    for part in row.get("hours", ["00:00-24:00"]):
        first, last = (int(t[:2]) * 60 + int(t[3:]) for t in part.split("-"))
        spans = [(first, last, day)] if first < last else [(first, 1440, day), (0, last, (day - 1) % 7)]
        for begin, end, on in spans:
            if begin <= minute < end and names[on] in row.get("days", names):
                return True
    return False


def conditions(
    row: dict[str, Any], members: dict[str, list[str]], asked: TunnelRequest, now: float
) -> Iterator[bool]:
    """
    What of a rule can be told from the request.
    """
    host, port, ip, _ = asked.destination
    user = asked.user
    if "users" in row:
        yield any(user is None if u == "-" else user is not None and u in ("*", user) for u in row["users"])
    if "groups" in row:
        groups = set(asked.identity.groups) if asked.identity else set()
        groups |= {
            name for name, users in members.items() if user in users or ("-" in users and user is None)
        }
        yield bool(groups & set(row["groups"]))
    if "clients" in row:
        client = getattr(asked.client, "host", None)
        yield client is not None and isWithin(ip_address(client), row["clients"])
    for key, value in (
        ("listeners", asked.listener),
        ("protocols", asked.protocol),
        ("methods", asked.method),
        ("schemes", asked.scheme),
    ):
        if key in row:
            yield value in row[key]
    if "destinations" in row:
        yield ip is None and any(isName(pattern, host) for pattern in row["destinations"])
    if "ports" in row:
        ranges = [str(each).partition("-") for each in row["ports"]]
        yield any(int(first) <= port <= int(last or first) for first, _, last in ranges)
    yield isTime(row, now)


def fits(
    row: dict[str, Any], asked: TunnelRequest, address: IPAddress | None, name: str | None, first: bool
) -> bool | None:
    """
    What of a rule depends on the address and on the server name; L{None} if it can't be
    told.
    """
    found: list[bool | None] = []
    if "networks" in row:
        if address is None:
            found.append(None if first else False)
        else:
            inner = embedded(address) if row["action"] == "deny" else None
            within = isWithin(address, row["networks"])
            found.append(within or (inner is not None and isWithin(inner, row["networks"])))
    for key in ("server_names", "server_name"):
        if key in row and name is None:
            found.append(None)
        elif key in row and name is not None:
            plain = name.lower().removesuffix(".")
            if key == "server_names":
                named = bool(plain) and not plain[-1].isdigit()
                found.append(named and any(isName(pattern, plain) for pattern in row[key]))
            else:
                same = asked.destination.ip is None and plain == asked.destination.host
                found.append(bool(plain) and same == (row[key] == "same"))
    return False if False in found else None if None in found else True


def decide(
    rows: list[dict[str, Any]],
    members: dict[str, list[str]],
    default: str,
    asked: TunnelRequest,
    address: IPAddress | None,
    name: str | None,
    first: bool,
    now: float,
) -> tuple[str, str, bool, list[str]]:
    """
    Ask the rules one after the other.

    @return: action, rule, whether that is provisional, and who reports.
    """
    maybe = ""
    unsure = False
    reports = []
    action, rule = default, "default"
    for number, row in enumerate(rows):
        if not all(conditions(row, members, asked, now)):
            continue
        rest = fits(row, asked, address, name, first)
        if rest is False:
            continue
        if rest is None:
            unsure = unsure or row["action"] == "allow" or "report" in row
            if row["action"] == "allow":
                maybe = maybe or f"rule-{number}"
        elif "report" in row:
            reports.append(f"rule-{number}")
        else:
            action, rule = row["action"], f"rule-{number}"
            break
    if action == "deny":
        return ("allow", maybe, True, reports) if maybe else (action, rule, False, reports)
    return action, rule, unsure, reports


def said(verdict: Verdict) -> tuple[str, str, bool, list[str]]:
    """
    The same of a verdict.
    """
    reports = [each.partition(":")[0] for each in verdict.reports]
    return verdict.action.value, verdict.rule, verdict.provisional, reports


class OracleTests(PolicyCase):
    """
    Random rules, random requests.
    """

    @examples
    @given(
        st.lists(ROWS, min_size=1, max_size=8),
        st.dictionaries(st.sampled_from(GROUPS), some([*USERS, "-"]), max_size=2),
        st.sampled_from(["allow", "deny"]),
        st.lists(REQUESTS, min_size=1, max_size=4),
        st.sampled_from(TIMES),
        st.data(),
    )
    def test_sameAsOneByOne(
        self,
        rows: list[dict[str, Any]],
        members: dict[str, list[str]],
        default: str,
        asked: list[TunnelRequest],
        now: float,
        choose: st.DataObject,
    ) -> None:
        """
        In every stage the verdict is that of rules which are asked one by one; what is
        explained is what is decided; and a rule of which it has been said that it can never
        match, never does.
        """
        self.now = now
        groups = [{"name": name, "users": users} for name, users in members.items()]
        policy = self.policy(*rows, default=default, group=groups, listen=LISTEN)
        never = {w.place.split('"')[1] for w in policy.warnings if "can never match" in w.message}
        for each in asked:
            ip = each.destination.ip
            self.check(policy, rows, members, default, each, ip, None, True, never)
            address = ip or ip_address(choose.draw(st.sampled_from(ADDRESSES)))
            name = choose.draw(st.sampled_from(SERVER_NAMES))
            for where in {address, ip}:
                self.check(policy, rows, members, default, each, where, None, False, never)
                self.check(policy, rows, members, default, each, where, name, False, never)

    def check(
        self,
        policy: Policy,
        rows: list[dict[str, Any]],
        members: dict[str, list[str]],
        default: str,
        asked: TunnelRequest,
        address: IPv4Address | IPv6Address | None,
        name: str | None,
        first: bool,
        never: set[str],
    ) -> None:
        """
        Compare one question.
        """
        tunnel = asked.scheme == "tcp"  # in nothing else there is going to be a server name
        known = name if tunnel or name is not None else ""
        expected = decide(rows, members, default, asked, address, known, first, self.now)
        verdict = policy.decideRequest(asked) if first else policy.judge(asked, address, name)
        self.assertEqual(said(verdict), expected)
        self.assertFalse(not verdict.provisional and verdict.rule in never, verdict)
        self.assertFalse(never & set(expected[3]))
        if not first and name is None and address is not None:
            denial = policy.decideAddress(asked, address)
            self.assertEqual(denial, verdict if verdict.action is Action.DENY else None)
        wanted = not tunnel or policy.wantsServerName(asked)
        if first and (expected[0] == "allow" or not expected[2]) and not wanted:
            # The name makes no difference, whatever it is.
            for other in (address, address or ip_address("8.8.8.8")):
                without = policy.judge(asked, other)
                for each in SERVER_NAMES:
                    self.assertEqual(said(policy.judge(asked, other, each))[:2], said(without)[:2])
        if first or address is not None:
            steps = {step.rule: step for step in policy.trace(asked, None if first else address, name)}
            self.assertEqual([rule for rule, step in steps.items() if step.outcome == "report"], expected[3])
            deciding = [step for step in steps.values() if step.outcome in ("allow", "deny")]
            if not verdict.provisional or verdict.rule == deciding[0].rule:
                self.assertEqual((deciding[0].outcome, deciding[0].rule), expected[:2])
            else:
                self.assertEqual(steps[verdict.rule].outcome, "maybe")
