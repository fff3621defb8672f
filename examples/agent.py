"""
A page of the web by Twisted's own client, through proxies.

    python examples/agent.py URL [PROXY ...]
    python examples/agent.py https://example.com/ http://127.0.0.1:8080

Several proxies make a chain.  Without any it is the environment that says which: HTTPS_PROXY,
HTTP_PROXY, ALL_PROXY, NO_PROXY.
"""

import sys

from twisted.internet.task import react
from twisted.web.client import HTTPConnectionPool, readBody

from connectproxy.endpoints import ProxyConnectError
from connectproxy.web import ProxyingAgent


async def main(reactor, url, *proxies):
    """
    Get the page twice, the second time on the same connection.
    """
    agent = ProxyingAgent(reactor, proxies or None, pool=HTTPConnectionPool(reactor))
    for _ in range(2):
        try:
            response = await agent.request(b"GET", url.encode())
        except ProxyConnectError as refused:
            sys.exit(f"{refused.kind}: {refused} {refused.proxyStatus}")
        print(response.code, len(await readBody(response)), "octets", flush=True)


if __name__ == "__main__":
    react(main, sys.argv[1:])
