"""
A page of the web by treq, through proxies.

    pip install treq
    python examples/treq_client.py URL [PROXY ...]
    python examples/treq_client.py https://example.com/ socks5h://127.0.0.1:1080

Several proxies make a chain.  Without any it is the environment that says which: HTTPS_PROXY,
HTTP_PROXY, ALL_PROXY, NO_PROXY.
"""

import sys

from treq.client import HTTPClient
from twisted.internet.task import react

from connectproxy.web import ProxyingAgent


async def main(reactor, url, *proxies):
    """
    Get the page: redirects, cookies and compression are treq's.
    """
    client = HTTPClient(ProxyingAgent(reactor, proxies or None))
    response = await client.get(url, timeout=60)
    print(response.code, len(await response.content()), "octets", flush=True)


if __name__ == "__main__":
    react(main, sys.argv[1:])
