"""
Two proxies inside an application: one for the public Internet, as strict as it comes, and
one that also leads to services on this machine.

    python examples/embed.py [ENDPOINT ENDPOINT]
"""

import sys

from twisted.application.service import MultiService
from twisted.internet import reactor

from connectproxy import ProxyService, configure


def application(public="127.0.0.1:8080", inside="127.0.0.1:8081"):
    """
    A service like any other: add it to the application's own.
    """
    services = MultiService()
    for settings in (
        {"listen": [{"endpoint": public}]},
        {"listen": [{"endpoint": inside}], "allow": {"ports": "any", "networks": ["127.0.0.0/8"]}},
    ):
        ProxyService(reactor, configure(**settings)).setServiceParent(services)
    return services


if __name__ == "__main__":
    services = application(*sys.argv[1:])
    services.startService()
    reactor.addSystemEventTrigger("before", "shutdown", services.stopService)
    for proxy in services:
        print("a proxy at", *(f"{address.host}:{address.port}" for address in proxy.addresses), flush=True)
    reactor.run()
