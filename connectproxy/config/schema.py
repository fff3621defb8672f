"""
Every setting there is, declared once.

The options, the file, the documentation and the checks all come from L{SCHEMA}; a new
setting is one new row.  A key is C{table.name} in the file.  The rows of the table
C{listen} are the keys of each C{[[listen]]} table; those besides C{endpoint} reach the
listener's kind in L{connectproxy.config.Listener.options}.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectproxy.config.access import GROUP, IDENTITY, LIMIT, RULE
from connectproxy.config.endpoint import EndpointForm
from connectproxy.config.forms import (
    AccessLog,
    Count,
    Flag,
    Name,
    NetworkList,
    PortList,
    Seconds,
)
from connectproxy.config.secret import UserPassword
from connectproxy.config.setting import Setting
from connectproxy.config.sizes import Size
from connectproxy.config.store import Store
from connectproxy.config.texts import Strings, Text
from connectproxy.config.upstream import ROUTE, UPSTREAM
from connectproxy.config.words import Choice, File, FileList, Protocols

__all__ = ["LISTEN", "PROFILES", "SCHEMA"]

LISTEN = "listen"
"""The array of tables that say where to listen."""

_DAY = 24 * 3600
_WEEK = 7 * _DAY
_YEAR = 365 * 24 * 3600


SCHEMA = (
    Setting(
        "listen.endpoint", "listen", "127.0.0.1:8080", EndpointForm(), "ENDPOINT",
        "where to listen",
        repeatable=True,
    ),
    Setting(
        "listen.name", "", "", Name("its endpoint"), "",
        "what rules call the listener",
    ),
    Setting(
        "listen.protocols", "", ["http/1.1", "h2", "socks5", "socks4"],
        Protocols("http/1.1", "h2", "socks5", "socks4"), "",
        "the protocols that are spoken there",
    ),
    Setting(
        "listen.tls_certificate", "tls-certificate", [], FileList(), "FILE",
        "certificate to speak TLS with, followed by those that lead to its CA (PEM);"
        " of several, a client's server name picks one",
        repeatable=True,
    ),
    Setting(
        "listen.tls_key", "tls-key", [], FileList(), "FILE",
        "private key (PEM) of each certificate, in the same order; not needed where it is in the certificate's file",
        repeatable=True,
    ),
    Setting(
        "listen.require_tls", "", False, Flag(), "",
        "close what comes without TLS; always so where client certificates are required",
    ),
    Setting(
        "listen.client_certificates", "", "none", Choice("none", "optional", "required"), "",
        "whether clients are asked for a certificate within TLS, or have to have one",
    ),
    Setting(
        "listen.client_ca", "", "", File(), "",
        "certificates (PEM) of those who may have signed a client's",
    ),
    Setting(
        "listen.proxy_protocol_from", "proxy-protocol-from", [], NetworkList(), "CIDR",
        "load balancers and proxies that must begin each connection with a PROXY protocol header",
        repeatable=True,
    ),
    Setting(
        "listen.authentication", "", "",
        Choice("", "required", "optional", "off"), "",
        'whether clients have to say who they are, may, or are not asked; "" is required as soon as anything'
        " below auth can find it out, and off before",
    ),
    Setting(
        "proxy.profile", "profile", "", Choice("", "sandbox"), "sandbox",
        "a set of other defaults; sandbox: policy.default is deny, listen.authentication required, auth.token_keys"
        " connectproxy-token.key, audit.file connectproxy-audit.jsonl, and policy.contact says whom to ask",
    ),
    Setting(
        "proxy.name", "", "connectproxy", Name(), "",
        "what the proxy calls itself in the Proxy-Status field of its answers",
    ),
    Setting(
        "proxy.via", "", "", Name("the proxy's name with a random suffix"), "",
        "what the proxy calls itself in the Via field of what it forwards, by which it knows its own requests again",
    ),
    Setting(
        "proxy.open", "open", False, Flag(), "",
        "allow listening where others than this machine could connect, though nobody is asked who they are",
    ),
    Setting(
        "auth.basic", "auth", "", UserPassword(), "USER:PASSWORD|@FILE",
        "the name and password of one user, for HTTP Basic and SOCKS",
    ),
    Setting(
        "auth.users", "users", "", File(beside=True), "FILE",
        "users and the hashes of their passwords, as connectproxy passwd and htpasswd write them: bcrypt, argon2 or scrypt",
    ),
    Setting(
        "auth.digest_users", "", "", File(beside=True), "",
        "users of HTTP Digest (RFC 7616): lines of user:realm:HA1, the hash in hexadecimal digits",
    ),
    Setting(
        "auth.digest_md5", "", False, Flag(), "",
        "offer Digest with MD5 too, for clients that know no SHA-256",
    ),
    Setting(
        "auth.nonce_lifetime", "", 300, Seconds(1, _DAY), "",
        "how long a nonce of Digest is good",
    ),
    Setting(
        "auth.token_keys", "token-key", [], FileList(beside=True), "FILE",
        "keys of the tokens that connectproxy token makes; a token that was signed with any of them is good",
        repeatable=True,
    ),
    Setting(
        "auth.revoked_tokens", "", "", File(beside=True), "",
        "tokens that are not good any more, one a line: an id, or user:NAME before:TIME",
    ),
    Setting(
        "auth.checkers", "checker", [],
        Strings("strings such as file:/etc/proxy.passwd or unix, as other services of twistd take them by --auth"),
        "CHECKER",
        "checkers of Twisted's (twisted.cred.strcred) that know passwords",
        repeatable=True,
    ),
    Setting(
        "auth.require_tls", "", False, Flag(), "",
        "refuse credentials that come in clear text",
    ),
    Setting(
        "auth.cache", "", 60, Seconds(1, _DAY, "not at all"), "",
        "how long a right password is believed without being hashed again",
    ),
    Setting(
        "auth.guesses", "", 10, Count(1, 1_000_000, "any number"), "",
        "how many wrong credentials may come from one address within a period, and five times as many for one user",
    ),
    Setting(
        "auth.guesses_period", "", 60, Seconds(1, _DAY), "",
        "that period",
    ),
    *IDENTITY,
    *GROUP,
    Setting(
        "policy.default", "", "", Choice("", "allow", "deny"), "",
        'what happens to what no rule decides; "" is allow, and has to be said as soon as there is a rule, a list'
        " or a shadow",
    ),
    Setting(
        "policy.contact", "", "", Text(), "",
        "what a client that is denied is told to do about it, where the rule says nothing",
    ),
    Setting(
        "policy.shadow", "", "", File(beside=True), "",
        "a file with a second policy, which is asked as well and has no effect: events tell where it differs",
    ),
    Setting(
        "policy.rejudge", "", False, Flag(), "",
        "when the configuration is read anew, end the tunnels that it would not allow any more",
    ),
    *RULE,
    Setting(
        "allow.ports", "allow-ports", [443, 80], PortList(), "PORTS",
        "the ports that tunnels may lead to",
    ),
    Setting(
        "allow.networks", "allow-network", [], NetworkList(), "CIDR",
        "networks that tunnels may lead to although their addresses are private or otherwise special",
        repeatable=True,
    ),
    Setting(
        "allow.list", "allow", [], FileList(beside=True), "FILE",
        "names that may be reached, one a line, and networks for clients that name an address: what none of the"
        " rules decides, and before the default",
        repeatable=True,
    ),
    Setting(
        "access_log.file", "access-log", "log", AccessLog(), "FILE|-|none",
        "where the event of each tunnel and of each refusal goes",
    ),
    Setting(
        "timeouts.head", "", 30, Seconds(0.1, 3600), "",
        "how long a client may take for the head of its request",
    ),
    Setting(
        "timeouts.handshake", "", 10, Seconds(0.1, 3600), "",
        "how long a client may take for its TLS handshake, and for a PROXY protocol header",
    ),
    Setting(
        "timeouts.connect", "connect-timeout", 10, Seconds(0.1, 3600), "SECONDS",
        "how long looking up and connecting to a destination may take, over all of its addresses",
    ),
    Setting(
        "timeouts.response", "", 120, Seconds(0.1, _WEEK), "",
        "how long an origin may take to begin its answer to a forwarded request",
    ),
    Setting(
        "timeouts.keep_alive", "", 60, Seconds(0.1, _WEEK), "",
        "how long a client's connection is kept while it asks for nothing",
    ),
    Setting(
        "timeouts.first_flight", "", 3, Seconds(0.1, 60), "",
        "how long a tunnel waits for the client's first octets where a rule wants to know its TLS server name",
    ),
    Setting(
        "timeouts.idle", "idle-timeout", 3600, Seconds(0.1, _WEEK), "SECONDS",
        "how long a tunnel may carry nothing in either direction",
    ),
    Setting(
        "timeouts.half_open", "", 120, Seconds(0.1, _WEEK), "",
        "how long a tunnel may carry nothing after one end has finished sending",
    ),
    Setting(
        "timeouts.lifetime", "", 0, Seconds(0.1, _YEAR, "no limit"), "",
        "how long a tunnel may last, whatever it carries",
    ),
    Setting(
        "timeouts.drain", "drain-timeout", 10, Seconds(0, _WEEK), "SECONDS",
        "how long tunnels may go on when the proxy is stopped, before they are cut off",
    ),
    Setting(
        "timeouts.linger", "", 2, Seconds(0, 60), "",
        "how long a refused client may take to close, so that it gets to read the answer",
    ),
    Setting(
        "limits.tunnels", "max-tunnels", 0, Count(1, 1_000_000, "as many as there are descriptors for"), "NUMBER",
        "how many tunnels there may be at once",
    ),
    Setting(
        "limits.tunnels_per_client", "", 0, Count(1, 1_000_000, "no limit but that of all"), "",
        "how many tunnels one user may have at once, or one address where nobody is asked",
    ),
    Setting(
        "limits.ipv4_prefix", "", 24, Count(1, 32), "",
        "the length of the prefix of what counts as one network of clients",
    ),
    Setting(
        "limits.ipv6_prefix", "", 64, Count(1, 128), "",
        "the same for IPv6",
    ),
    Setting(
        "limits.store", "", "sqlite:connectproxy-quotas.sqlite3", Store(), "",
        "where quotas are counted: in a file, in a Redis that several proxies share, or until the proxy stops",
    ),
    Setting(
        "limits.when_away", "", "open", Choice("open", "closed"), "",
        "whether tunnels that a quota holds for are opened while nothing counts it",
    ),
    Setting(
        "limits.streams", "", 256, Count(1, 10_000), "",
        "how many streams an HTTP/2 connection may have open at once",
    ),
    Setting(
        "limits.udp_associations", "", 1000, Count(1, 1_000_000), "",
        "how many UDP associations of SOCKS 5 there may be at once",
    ),
    *LIMIT,
    Setting(
        "audit.file", "audit", "", File(beside=True), "FILE",
        "a file to add one JSON line to for each decision",
    ),
    Setting(
        "audit.rotate", "", "100 MiB", Size(4096, "never"), "",
        "the size at which that file is put aside, and another one begun",
    ),
    Setting(
        "audit.keep", "", 10, Count(0, 10_000), "",
        "how many of those put aside are kept",
    ),
    Setting(
        "control.socket", "control", "", File(beside=True), "FILE",
        "a UNIX socket for connectproxy reload and connectproxy status",
    ),
    Setting(
        "socks.udp", "", True, Flag(), "",
        "serve UDP ASSOCIATE of SOCKS 5",
    ),
    *ROUTE,
    *UPSTREAM,
    Setting(
        "direct.proxy_protocol", "send-proxy-protocol", "none", Choice("none", "v1", "v2"), "none|v1|v2",
        "the PROXY protocol header that is sent to an origin before anything else",
    ),
    Setting(
        "relay.splice", "", True, Flag(), "",
        "move bytes within the kernel by splice(2) where both ends are plain sockets; Linux only",
    ),
)  # fmt: skip
"""All settings, in the order of the documentation."""

PROFILES: Mapping[str, Mapping[str, Any]] = {
    "sandbox": {
        "policy.default": "deny",
        "listen.authentication": "required",
        "auth.token_keys": ["connectproxy-token.key"],
        "audit.file": "connectproxy-audit.jsonl",
        "policy.contact": "To request access, ask the operator of this proxy, and tell the destination and the rule:"
        " a name is added to the allow-list (--allow), a port to --allow-ports, a private network to --allow-network.",
    },
}
"""
The defaults that a profile has in the place of the schema's, by key, as the file would
write them.
"""
