"""
Who asks: the one identity that there is, whatever proved it, and what finds it out.

A password over HTTP or SOCKS, a digest, a token, a certificate, a PROXY header and an
address all end in the same avatar of L{twisted.cred}, so that policy, limits and events
need not know how a client has shown who it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface, implementer

from connectproxy.errors import Refusal

if TYPE_CHECKING:
    from connectproxy.interfaces.values import Arrival, TunnelRequest

__all__ = ["IAuthenticator", "IProxyUser", "Identified", "ProxyUser"]


class IProxyUser(Interface):
    """
    Who uses the proxy: the avatar that the Portal gives.
    """

    name: str = Attribute("The name, in Normalization Form C, not empty.")
    groups: frozenset[str] = Attribute("The groups that the user is in.")
    limits: tuple[str, ...] = Attribute(
        "Names of C{[[limit]]} tables that hold for the user besides those that say so themselves."
    )
    means: str = Attribute(
        "How it was proved: C{basic}, C{digest}, C{token}, C{password} (SOCKS), C{certificate}, C{proxy_header}"
        " or C{network}."
    )


@implementer(IProxyUser)
class ProxyUser(NamedTuple):
    """
    The avatar, as a value.

    @see: L{IProxyUser}
    """

    name: str
    groups: frozenset[str] = frozenset()
    limits: tuple[str, ...] = ()
    means: str = ""


Identified = ProxyUser | Refusal | None
"""Who asks; why that is not known, and nobody is served; or nobody, and that will do."""


class IAuthenticator(Interface):
    """
    Finds out who asks.

    What is known already is answered at once; what has to be hashed, or asked of
    somebody else's checker, by a Deferred.  It does not fail; cancelled, it gives up
    and fires with a refusal.
    """

    def asks(arrival: Arrival) -> str:
        """
        What is wanted of the clients of a connection.

        @return: C{"required"}: they say who they are, or are refused; C{"optional"}:
            they may; C{"off"}: what they say is not looked at.
        """

    def known(arrival: Arrival) -> ProxyUser | None:
        """
        Who a client is by its connection alone: its certificate, what a trusted
        sender's PROXY header says, its address.  Credentials, where there are some, go
        before that.
        """

    def unsafe(arrival: Arrival) -> Refusal | None:
        """
        Why credentials must not be said on a connection, where they would be sent in clear
        text and the operator does not want that; L{None} if they may be.
        """

    def identify(request: TunnelRequest) -> Identified | Deferred[Identified]:
        """
        Find out who asks, by the C{Proxy-Authorization} of a request (RFC 9110 section
        11.7.2) or by its connection.

        @return: a refusal is a C{proxy_authentication_required} with the challenges in
            its C{fields}, or a C{login_limit_reached}.
        """

    def check(user: bytes, password: bytes, arrival: Arrival) -> Identified | Deferred[Identified]:
        """
        Check a name and a password that a client of another protocol has said, such as
        SOCKS's (RFC 1929).

        @return: as L{identify}; never L{None}.
        """
