"""
TLS contexts for a listening port, made from files and made anew when these change.

Owns what is spoken: TLS 1.2 (RFC 5246) and 1.3 (RFC 8446), the certificate that a server
name picks (RFC 6066 section 3), the protocol by ALPN (RFC 7301), and whose certificates
are good for clients.  Knows no connection beyond its handshake.

Sessions are resumed by tickets (RFC 8446 section 4.6.1, RFC 5077): a client of a proxy
opens many connections, and each that resumes saves both sides the signature, which is most
of a handshake.  The keys of tickets live and die with the contexts, so a reload ends all
resumption: whoever is to be trusted no more has to show a certificate again.  No session
is kept here, so no client can fill memory with them.

Left out: OCSP stapling, early data (RFC 8446 section 8: a CONNECT must not be replayed),
certificates by kind of key, trust in the system's CAs for clients.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from zope.interface import implementer

from connectproxy.tls.files import Certified, readAuthorities, readCertified, stamp

__all__ = ["NoCommonProtocol", "ServerTLS", "TLSOptions", "makeContext"]

CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20"
"""
The cipher suites of TLS 1.2: those with forward secrecy and authenticated encryption, which
are also all that HTTP/2 allows (RFC 9113 section 9.2.2).  Those of 1.3 are all like that.
"""

_PARTIAL_WRITE = 1
"""SSL_MODE_ENABLE_PARTIAL_WRITE of OpenSSL, which pyOpenSSL sets and does not name."""

_CLEAR_MODE: Any = getattr(SSL.Context, "clear_mode", None)
"""How a mode is cleared; older releases of pyOpenSSL have no way to."""

_VERIFY = {
    "none": SSL.VERIFY_NONE,
    "optional": SSL.VERIFY_PEER,
    "required": SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT,
}


def makeContext(method: int, certified: Certified | None) -> SSL.Context:
    """
    Make a context with what both sides have in common; see L{connectproxy.tls.client} for the
    other.

    @param method: one of pyOpenSSL's, for the side.
    @param certified: what the side shows, or L{None}.
    """
    context = SSL.Context(method)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | getattr(SSL, "OP_NO_RENEGOTIATION", 0))
    context.set_cipher_list(CIPHERS)
    # An idle tunnel gives its buffers back, 34 KiB of them.
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    if _CLEAR_MODE is not None:
        # What is written at once is encrypted at once, and not one record of it.
        _CLEAR_MODE(context, _PARTIAL_WRITE)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    if certified is not None:
        context.use_certificate(certified.chain[0])
        for each in certified.chain[1:]:
            context.add_extra_chain_cert(each)
        context.use_privatekey(certified.key)
    return context


class TLSOptions(NamedTuple):
    """
    What a listening port is to speak TLS with.

    @ivar certificates: names of files, in pairs: a certificate with its chain, and its
        private key, which may be in the same file.  The first is the default.
    @ivar clientCertificates: C{"none"}, C{"optional"} or C{"required"}.
    @ivar clientCA: the name of the file with the CAs of clients; empty for C{"none"}.
    @ivar protocols: what ALPN offers, the best first; with none it is not answered.
    """

    certificates: tuple[tuple[str, str], ...]
    clientCertificates: str = "none"
    clientCA: str = ""
    protocols: tuple[bytes, ...] = (b"h2", b"http/1.1")


class NoCommonProtocol(SSL.Error):
    """
    The client asks by ALPN for protocols that are not spoken.
    """


class _Loaded(NamedTuple):
    """
    What the files have been made into.

    @ivar contexts: one for each certificate.
    @ivar named: contexts by DNS name.
    @ivar wildcards: contexts by what stands behind C{*.} in a DNS name.
    @ivar stamps: what the files looked like.
    """

    contexts: tuple[SSL.Context, ...]
    named: dict[bytes, SSL.Context]
    wildcards: dict[bytes, SSL.Context]
    names: tuple[str, ...]
    expires: datetime
    notes: tuple[str, ...]
    stamps: tuple[tuple[int, int, int], ...]


@implementer(IOpenSSLServerConnectionCreator)
class ServerTLS:
    """
    Makes the server's side of TLS connections.
    """

    def __init__(self, options: TLSOptions) -> None:
        """
        Read the files.  Blocks.

        @raise ValueError: one of them cannot be used: which, why, and what to do.
        """
        self.options = options
        self._loaded = self._load()

    @property
    def names(self) -> tuple[str, ...]:
        """The DNS names of all certificates."""
        return self._loaded.names

    @property
    def expires(self) -> datetime:
        """When the first of the certificates expires, in UTC."""
        return self._loaded.expires

    @property
    def notes(self) -> tuple[str, ...]:
        """What is wrong with certificates that can be used all the same, as being expired."""
        return self._loaded.notes

    def reload(self) -> tuple[str, ...]:
        """
        Read the files anew, for the connections that come from now on.  Blocks.

        @return: L{notes}.
        @raise ValueError: one of them cannot be used; nothing has changed.
        """
        self._loaded = self._load()
        return self.notes

    def become(self, other: ServerTLS) -> None:
        """
        Speak TLS as another one does, from the next connection on.
        """
        self.options = other.options
        self._loaded = other._loaded

    @property
    def files(self) -> tuple[str, ...]:
        """The names of all files."""
        named = [file for pair in self.options.certificates for file in pair]
        return tuple(dict.fromkeys(file for file in (*named, self.options.clientCA) if file))

    def changed(self) -> bool:
        """
        Whether the files are others than those that were read.  Blocks.
        """
        return self._stamps() != self._loaded.stamps

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """
        See L{IOpenSSLServerConnectionCreator}.
        """
        connection = SSL.Connection(self._loaded.contexts[0], None)
        connection.set_accept_state()
        return connection

    def _stamps(self) -> tuple[tuple[int, int, int], ...]:
        """
        What the files look like.
        """
        return tuple(stamp(file) for file in self.files)

    def _load(self) -> _Loaded:
        """
        Read the files and make contexts of them.
        """
        stamps = self._stamps()  # before they are read: what changes meanwhile is noticed
        certified = [readCertified(*pair) for pair in self.options.certificates]
        if self.options.clientCertificates != "none":
            readAuthorities(self.options.clientCA)  # OpenSSL's own words don't say what is wrong
        contexts = tuple(self._context(each) for each in certified)
        named: dict[bytes, SSL.Context] = {}
        wildcards: dict[bytes, SSL.Context] = {}
        for each, context in zip(certified, contexts, strict=True):
            for name in each.names:
                octets = name.encode("utf-8")
                if octets.startswith(b"*."):
                    wildcards.setdefault(octets[2:], context)
                else:
                    named.setdefault(octets, context)
        loaded = _Loaded(
            contexts,
            named,
            wildcards,
            tuple(dict.fromkeys(name for each in certified for name in each.names)),
            min(each.expires for each in certified),
            tuple(each.note for each in certified if each.note),
            stamps,
        )
        if len(contexts) > 1:
            contexts[0].set_tlsext_servername_callback(lambda connection: _pick(loaded, connection))
        return loaded

    def _context(self, certified: Certified) -> SSL.Context:
        """
        Make the context of one certificate.  All are alike in everything else: which one a
        handshake ends with is known only in the midst of it.
        """
        options = self.options
        context = makeContext(SSL.TLS_SERVER_METHOD, certified)
        context.set_options(SSL.OP_CIPHER_SERVER_PREFERENCE)
        context.set_session_id(b"connectproxy")
        if options.protocols:
            context.set_alpn_select_callback(self._select)
        context.set_verify(_VERIFY[options.clientCertificates], None)
        if options.clientCertificates != "none":
            try:
                context.load_verify_locations(options.clientCA)
                context.load_client_ca(options.clientCA.encode())
            except SSL.Error as error:  # it has changed since it was looked at
                raise ValueError(f"{options.clientCA}: OpenSSL cannot read it ({error})") from error
        return context

    def _select(self, connection: SSL.Connection, offered: list[bytes]) -> bytes:
        """
        Choose by ALPN: the first of ours that the client offers.

        pyOpenSSL turns its C{NO_OVERLAPPING_PROTOCOLS} into going on without a protocol;
        an exception becomes the alert that RFC 7301 section 3.2 demands.
        """
        for protocol in self.options.protocols:
            if protocol in offered:
                return protocol
        raise NoCommonProtocol([("connectproxy", "", "no application protocol in common")])


def _pick(loaded: _Loaded, connection: SSL.Connection) -> None:
    """
    Choose the certificate that a client's server name asks for; a wildcard stands for one
    label (RFC 9525 section 6.3).
    """
    name = (connection.get_servername() or b"").lower()
    context = loaded.named.get(name) or loaded.wildcards.get(name.partition(b".")[2])
    if context is not None and context is not loaded.contexts[0]:
        connection.set_context(context)
