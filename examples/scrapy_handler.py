"""
A download handler for Scrapy that goes through proxies of every kind.

Scrapy by itself goes through a proxy that speaks HTTP without TLS.  This one also goes through
SOCKS, proxies that are spoken to within TLS, and chains.  In the settings of a project, with
this file as proxies.py in it::

    DOWNLOAD_HANDLERS = {"http": "project.proxies.Handler", "https": "project.proxies.Handler"}
    HTTPPROXY_ENABLED = False
    PROXIES = "socks5h://127.0.0.1:1080"  # a list makes a chain; without it, the environment says which

A request with a C{proxy} in its meta goes through that one, which may be a list as well.  To try
it by itself::

    pip install scrapy
    python examples/scrapy_handler.py URL [PROXY ...]
    python examples/scrapy_handler.py https://example.com/ http://127.0.0.1:8080
"""

import sys

from scrapy import Spider
from scrapy.core.downloader.handlers.base import BaseDownloadHandler
from scrapy.crawler import CrawlerProcess
from scrapy.exceptions import (
    CannotResolveHostError,
    DownloadCancelledError,
    DownloadConnectionRefusedError,
    DownloadFailedError,
    DownloadTimeoutError,
    UnsupportedURLSchemeError,
)
from scrapy.http import Headers
from scrapy.responsetypes import responsetypes
from scrapy.utils.defer import maybe_deferred_to_future
from twisted.internet import error
from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.protocol import Protocol
from twisted.web import http_headers
from twisted.web.client import HTTPConnectionPool, ResponseDone, ResponseFailed
from twisted.web.error import SchemeNotSupported
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from zope.interface import implementer

from connectproxy.web import ProxyingAgent

FAILURES = (
    (error.ConnectionRefusedError, DownloadConnectionRefusedError),
    (error.DNSLookupError, CannotResolveHostError),
    (error.TimeoutError, DownloadTimeoutError),
    (ResponseFailed, DownloadFailedError),
    (SchemeNotSupported, UnsupportedURLSchemeError),
)
"""
What Scrapy has names of its own for.  That a proxy refuses remains a ProxyConnectError, which is
one of those ConnectErrors that Scrapy tries again.
"""


class Handler(BaseDownloadHandler):
    """
    Downloads for http and https.
    """

    def __init__(self, crawler):
        from twisted.internet import reactor  # noqa: PLC0415 - Scrapy installs the one that it is told

        super().__init__(crawler)
        settings = crawler.settings
        self.reactor = reactor
        self.default = settings.get("PROXIES")
        self.most = settings.getint("DOWNLOAD_MAXSIZE")
        self.seconds = settings.getfloat("DOWNLOAD_TIMEOUT")
        self.pool = HTTPConnectionPool(reactor)
        self.pool.maxPersistentPerHost = settings.getint("CONCURRENT_REQUESTS_PER_DOMAIN")
        self.agents = {}

    def agent(self, proxies):
        """
        One for each way, on one pool.
        """
        key = tuple(proxies) if isinstance(proxies, list | tuple) else proxies
        if key not in self.agents:
            self.agents[key] = ProxyingAgent(self.reactor, key, pool=self.pool)
        return self.agents[key]

    async def download_request(self, request):
        """
        See Scrapy's documentation of download handlers.
        """

        def late(result, seconds):  # whatever has become of it: it was cancelled for that
            raise DownloadTimeoutError(f"{request.url} took longer than {seconds:g} s")

        download = ensureDeferred(self.download(request))
        download.addTimeout(request.meta.get("download_timeout") or self.seconds, self.reactor, late)
        try:
            return await maybe_deferred_to_future(download)
        except tuple(twisted for twisted, _ in FAILURES) as failed:
            kind = next(scrapy for twisted, scrapy in FAILURES if isinstance(failed, twisted))
            raise kind(f"{request.url}: {failed}") from failed

    async def download(self, request):
        """
        Ask, and read all of the answer.
        """
        agent = self.agent(request.meta.get("proxy") or self.default)
        headers = http_headers.Headers(dict(request.headers.items()))
        body = Body(request.body) if request.body else None
        url = request.url.partition("#")[0].encode("ascii")
        answer = await agent.request(request.method.encode(), url, headers, body)
        reading = Reading(request.meta.get("download_maxsize", self.most))
        answer.deliverBody(reading)
        content, flags = await reading.done
        fields = Headers(dict(answer.headers.getAllRawHeaders()))
        if answer.length != UNKNOWN_LENGTH:
            fields["Content-Length"] = str(answer.length)
        kind = responsetypes.from_args(headers=fields, url=request.url, body=content)
        version = "{}/{}.{}".format(answer.version[0].decode(), *answer.version[1:])
        return kind(
            request.url, status=answer.code, headers=fields, body=content, flags=flags, protocol=version
        )

    async def close(self):
        """
        Let go of what is kept.
        """
        await maybe_deferred_to_future(self.pool.closeCachedConnections())


class Reading(Protocol):
    """
    Content, up to a limit.

    @ivar done: fires with the content, and what Scrapy calls its flags.
    """

    def __init__(self, most):
        self.most, self.octets = most, bytearray()
        self.done = Deferred(lambda _: self.transport.loseConnection())

    def dataReceived(self, data):
        """
        A piece of it.
        """
        if self.done.called:
            return
        self.octets += data
        if self.most and len(self.octets) > self.most:
            self.transport.loseConnection()
            self.done.errback(DownloadCancelledError(f"more than DOWNLOAD_MAXSIZE, {self.most} octets"))

    def connectionLost(self, reason):
        """
        There is no more.
        """
        if self.done.called:
            return
        if reason.check(ResponseDone):
            self.done.callback((bytes(self.octets), []))
        elif reason.check(PotentialDataLoss):  # an answer that ends with its connection
            self.done.callback((bytes(self.octets), ["partial"]))
        else:
            self.done.errback(reason)


@implementer(IBodyProducer)
class Body:
    """
    What is sent with a request.
    """

    def __init__(self, octets):
        self.octets, self.length = octets, len(octets)

    def startProducing(self, consumer):
        """
        All at once.
        """
        consumer.write(self.octets)
        return succeed(None)

    def pauseProducing(self):
        """
        It is all sent by then.
        """

    resumeProducing = stopProducing = pauseProducing


class Page(Spider):
    """
    Gets one page.
    """

    name = "page"

    def parse(self, response):
        """
        Print what it is.
        """
        print(response.status, len(response.body), "octets", flush=True)


if __name__ == "__main__":
    process = CrawlerProcess(
        {
            "DOWNLOAD_HANDLERS": {"http": Handler, "https": Handler},
            "HTTPPROXY_ENABLED": False,
            "PROXIES": sys.argv[2:] or None,
            "HTTPERROR_ALLOW_ALL": True,
            "RETRY_ENABLED": False,
            "TELNETCONSOLE_ENABLED": False,
            "LOG_LEVEL": "ERROR",
        }
    )
    crawler = process.create_crawler(Page)
    process.crawl(crawler, start_urls=[sys.argv[1]])
    process.start()
    sys.exit(0 if crawler.stats.get_value("response_received_count") else 1)
