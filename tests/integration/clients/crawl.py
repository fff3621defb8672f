"""
Makes requests by Scrapy with the download handler of C{examples/scrapy_handler.py}: reads a list
of their parameters from standard input, and writes what has become of each, both in JSON.

    crawl.py SETTINGS
"""

import json
import sys

from scrapy import Request, Spider
from scrapy.crawler import CrawlerProcess

from examples.scrapy_handler import Handler


class Several(Spider):
    """
    Makes them all at once.
    """

    name = "several"

    async def start(self):
        """
        See Scrapy.
        """
        for name, parameters in json.load(sys.stdin).items():
            yield Request(
                **parameters,
                dont_filter=True,
                cb_kwargs={"name": name},
                callback=self.parse,
                errback=self.failed,
            )

    def parse(self, response, name):
        """
        There is a response.
        """
        became[name] = {
            "status": response.status,
            "kind": type(response).__name__,
            "body": response.body.decode(),
            "flags": response.flags,
            "protocol": response.protocol,
            "length": (response.headers.get("Content-Length") or b"").decode(),
            "cookies": [each.decode() for each in response.headers.getlist("Set-Cookie")],
        }

    def failed(self, failure):
        """
        There is none.
        """
        became[failure.request.cb_kwargs["name"]] = [failure.type.__name__, failure.getErrorMessage()]


if __name__ == "__main__":
    became = {}
    process = CrawlerProcess(
        {
            "DOWNLOAD_HANDLERS": {"http": Handler, "https": Handler},
            "HTTPPROXY_ENABLED": False,
            "HTTPERROR_ALLOW_ALL": True,
            "RETRY_ENABLED": False,
            "COOKIES_ENABLED": False,
            "TELNETCONSOLE_ENABLED": False,
            "LOG_ENABLED": False,
            **json.loads(sys.argv[1]),
        }
    )
    process.crawl(Several)
    process.start()
    json.dump(became, sys.stdout)
