"""
A policy for TLS that trusts the CA of the tests.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from tests.tls.case import authority


@implementer(IPolicyForHTTPS)
class Trusting:
    """
    @ivar asked: for whom.
    """

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def creatorForNetloc(self, hostname: bytes, port: int) -> Any:
        self.asked.append((hostname, port))
        root = Certificate.loadPEM(authority().certificatePEM)
        return optionsForClientTLS(hostname.decode("ascii"), trustRoot=trustRootFromCertificates([root]))
