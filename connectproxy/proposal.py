"""
From recorded traffic to a policy that would allow it, for people to review.

Who goes to the same places becomes one rule; the rules that are used most come first, and
within each the destinations.  Names become a pattern such as C{*.cdn.example.com} only
where several different ones below were seen, and only where all below is likely to be one
owner's: there is no list of public suffixes here, and so nothing is proposed close to one.
What comes out is TOML.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from connectproxy.address import Networks
from connectproxy.traffic import Count, Traffic, Who

__all__ = ["SUBDOMAINS", "Proposal", "propose"]

SUBDOMAINS = 5
"""Different names below another from which on a pattern stands for them."""

_SHARED = (
    "amazonaws.com", "amazonaws.com.cn", "appspot.com", "azure.com", "azure.net", "azureedge.net",
    "azurewebsites.net", "cloudapp.net", "cloudflare.net", "cloudfront.net", "digitaloceanspaces.com",
    "elasticbeanstalk.com", "fastly.net", "firebaseapp.com", "googleapis.com", "googleusercontent.com",
    "herokuapp.com", "netlify.app", "ondigitalocean.app", "oraclecloud.com", "pages.dev", "run.app",
    "sharepoint.com", "trafficmanager.net", "vercel.app", "web.app", "windows.net", "workers.dev",
)  # fmt: skip
"""Names below which names are to be had by anybody, however deep: there no pattern is proposed."""

_COUNTRY = 2
"""Letters of the top-level domain of a country, where public suffixes have up to three labels."""


class _Row(NamedTuple):
    """
    One line of a rule: what is allowed, and why.

    @ivar pattern: the name, or the network.
    @ivar names: how many different names it stands for.
    """

    pattern: str
    use: Count
    names: int


class _Rule(NamedTuple):
    """
    Who may go where.

    @ivar users: names of users, or none.
    @ivar groups: names of groups.
    @ivar networks: whether the rows are networks.
    """

    users: tuple[str, ...]
    groups: tuple[str, ...]
    ports: tuple[int, ...]
    networks: bool
    rows: tuple[_Row, ...]

    @property
    def requests(self) -> int:
        """How many requests it stands for."""
        return sum(row.use.requests for row in self.rows)


class Proposal(NamedTuple):
    """
    A policy to review.

    @ivar rules: how many rules it has.
    @ivar text: the policy, in TOML.
    """

    rules: int
    text: str


_Audience = tuple[frozenset[str], frozenset[str]]
"""Users and groups."""

_EVERYBODY: _Audience = (frozenset(), frozenset())


def propose(
    traffic: Traffic,
    *,
    by: str = "user",
    least: int = 1,
    subdomains: int = SUBDOMAINS,
    default: str = "deny",
) -> Proposal:
    """
    Propose a policy.

    @param by: what rules name: C{"user"}; C{"group"}, where a user is in one, and of
        several the one in which the fewest users were seen; C{"all"} for nobody.
    @param least: requests to a destination, for it to be proposed.
    @param subdomains: different names from which on a pattern stands for them; 0 for never.
    @param default: what happens to what no rule decides.
    """
    sums: dict[tuple[str, int, bool], dict[Who, Count]] = defaultdict(dict)
    unnamed = all(flow.who.user is None for flow in traffic.flows) or by == "all"
    for flow, count in traffic.flows.items():
        ip = flow.destination.ip
        place = (flow.destination.host if ip is None else f"{ip}/{ip.max_prefixlen}", flow.destination.port)
        who = Who(None) if unnamed else flow.who
        sums[*place, ip is not None].setdefault(who, Count()).add(count)
    smallest = _smallest(traffic) if by == "group" else {}
    rare = Count()
    audiences: dict[_Audience, dict[tuple[str, int, bool], Count]] = defaultdict(dict)
    for goal, found in sums.items():
        total = Count()
        for count in found.values():
            total.add(count)
        if total.requests < least:
            rare.add(total)
            continue
        audiences[_EVERYBODY if unnamed else _audience(found, smallest)][goal] = total
    rules = sorted(_rules(audiences, subdomains), key=_rank)
    ports = sorted({port for rule in rules for port in rule.ports})
    return Proposal(len(rules), "".join(f"{line}\n" for line in _text(traffic, rules, ports, default, rare)))


def _rank(rule: _Rule) -> tuple[object, ...]:
    """
    What rules are sorted by: use, and the same order every time.
    """
    return -rule.requests, rule.users, rule.groups, rule.ports, rule.networks, rule.rows[0].pattern


def _smallest(traffic: Traffic) -> Mapping[str, int]:
    """
    How many users were seen in each group.
    """
    members: dict[str, set[str | None]] = defaultdict(set)
    for user, groups in {flow.who for flow in traffic.flows}:
        for group in groups:
            members[group].add(user)
    return {group: len(users) for group, users in members.items()}


def _audience(found: Iterable[Who], smallest: Mapping[str, int]) -> _Audience:
    """
    Who a rule is for.
    """
    users: set[str] = set()
    groups: set[str] = set()
    for user, names in found:
        known = [name for name in names if name in smallest]
        if known:
            groups.add(min(known, key=lambda name: (smallest[name], name)))
        else:
            users.add("-" if user is None else user)
    return frozenset(users), frozenset(groups)


def _rules(
    audiences: Mapping[_Audience, Mapping[tuple[str, int, bool], Count]], subdomains: int
) -> Iterator[_Rule]:
    """
    Put what the same people do into rules.  What users and what groups may do is apart, since
    a rule that names both is for users who are in a group.
    """
    for (users, groups), places in audiences.items():
        rows: dict[tuple[str, bool], dict[int, _Row]] = defaultdict(dict)
        for port in {port for _, port, _ in places}:
            here = {(name, net): count for (name, at, net), count in places.items() if at == port}
            names = {name: count for (name, net), count in here.items() if not net}
            for row in _patterns(names, subdomains):
                rows[row.pattern, False][port] = row
            for (name, net), count in here.items():
                if net:
                    rows[name, True][port] = _Row(name, count, 1)
        together: dict[tuple[tuple[int, ...], bool], list[_Row]] = defaultdict(list)
        for (pattern, net), byPort in rows.items():
            total = Count()
            for row in byPort.values():
                total.add(row.use)
            most = max(row.names for row in byPort.values())
            together[tuple(sorted(byPort)), net].append(_Row(pattern, total, most))
        for (ports, net), listed in together.items():
            listed.sort(key=lambda row: (-row.use.requests, row.pattern))
            if users or not groups:
                yield _Rule(tuple(sorted(users)), (), ports, net, tuple(listed))
            if groups:
                yield _Rule((), tuple(sorted(groups)), ports, net, tuple(listed))


def _patterns(names: Mapping[str, Count], subdomains: int) -> Iterator[_Row]:
    """
    Names, with patterns in the place of those of which there are several below another: the
    deepest that will do.
    """
    below: dict[str, set[str]] = defaultdict(set)
    if subdomains:
        for name in names:
            base = name.partition(".")[2]
            while base:
                if _ownable(base):
                    below[base].add(name)
                base = base.partition(".")[2]
    left = set(names)
    for base in sorted(below, key=lambda base: (-base.count("."), base)):
        mine = below[base] & left
        if len(mine) >= subdomains:
            left -= mine
            total = Count()
            for name in mine:
                total.add(names[name])
            yield _Row(f"*.{base}", total, len(mine))
    for name in left:
        yield _Row(name, names[name], 1)


def _ownable(base: str) -> bool:
    """
    Whether all below a name is likely to be one owner's.

    A public suffix of a generic top-level domain has two labels at most (C{github.io},
    C{uk.com}), but for those of clouds, which are listed; of a country's it has up to three
    (C{city.kawasaki.jp}, C{k12.ma.us}).
    """
    labels = base.split(".")
    if len(labels) < (4 if len(labels[-1]) <= _COUNTRY else 3):
        return False
    return not any(base == name or base.endswith(f".{name}") for name in _SHARED)


def _text(
    traffic: Traffic, rules: Sequence[_Rule], ports: Collection[int], default: str, rare: Count
) -> Iterator[str]:
    """
    The policy as TOML, line by line.
    """
    yield f"# Proposed from {traffic.events:,} events: {len(rules)} rules. Review it before it is used:"
    yield "# whatever was done while events were recorded is allowed here, be it right or wrong."
    if rare.requests:
        yield f"# Left out: {rare.requests:,} requests to destinations that are used too seldom."
    if traffic.dropped:
        yield f"# Left out: {traffic.dropped:,} requests to destinations that were too many to be counted."
    yield ""
    yield "[policy]"
    yield f"default = {_string(default)}"
    if ports or traffic.inside:
        yield ""
        yield "[allow]"
    if ports:
        yield f"ports = [{', '.join(map(str, ports))}]"
    if traffic.inside:
        yield "# Not of the Internet, and open to nobody else unless they are listed here."
        yield "networks = ["
        for network in Networks.parse(*map(str, traffic.inside)):
            yield f"    {_string(str(network))},"
        yield "]"
    for number, rule in enumerate(rules, 1):
        yield ""
        yield from _ruleText(number, rule)


def _ruleText(number: int, rule: _Rule) -> Iterator[str]:
    """
    One rule.
    """
    yield f"# {_times(rule.requests)}"
    yield "[[rule]]"
    yield f'name = "learned-{number}"'
    yield 'action = "allow"'
    for key, names in (("users", rule.users), ("groups", rule.groups)):
        if names:
            yield f"{key} = [{', '.join(map(_string, names))}]"
    yield f"ports = [{', '.join(map(str, rule.ports))}]"
    yield f"{'networks' if rule.networks else 'destinations'} = ["
    width = max(len(_string(row.pattern)) for row in rule.rows) + 1
    for row in rule.rows:
        comment = [_times(row.use.requests)]
        if row.use.denied:
            comment.append(f"{row.use.denied:,} of them denied")
        if row.names > 1:
            comment.append(f"{row.names} names")
        if row.use.last:
            comment.append(f"last {row.use.last}")
        yield f"    {_string(row.pattern) + ',':{width}}  # {', '.join(comment)}"
    yield "]"


def _times(requests: int) -> str:
    """
    How many requests, in words.
    """
    return f"{requests:,} request{'s' * (requests != 1)}"


def _string(text: str) -> str:
    """
    A string as TOML writes it, which for what can be in a name is as JSON does.
    """
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
