"""
AMP, Twisted's protocol of remote calls, to wherever an endpoint leads.

    python examples/amp.py serve tcp:7000:interface=127.0.0.1
    python examples/amp.py add 'connect:proxy=tcp\\:127.0.0.1\\:8080:host=127.0.0.1:port=7000' 3 4

The proxy has to allow the address and the port: twistd -n connectproxy --allow-network
127.0.0.0/8 --allow-ports any.  With socks5:proxy=... it is spoken to by SOCKS, and with
tcp:127.0.0.1:7000 there is none.
"""

import sys

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString, connectProtocol, serverFromString
from twisted.internet.protocol import Factory
from twisted.internet.task import react
from twisted.protocols.amp import AMP, Command, Integer


class Add(Command):
    """
    Adds two numbers.
    """

    arguments = [(b"one", Integer()), (b"other", Integer())]
    response = [(b"sum", Integer())]


class Calculator(AMP):
    """
    Answers.
    """

    @Add.responder
    def add(self, one, other):
        """
        See L{Add}.
        """
        return {"sum": one + other}


async def main(reactor, what, endpoint, *numbers):
    """
    Serve, or ask.
    """
    if what == "serve":
        port = await serverFromString(reactor, endpoint).listen(Factory.forProtocol(Calculator))
        print("serves at", port.getHost().port, flush=True)
        await Deferred()
    client = await connectProtocol(clientFromString(reactor, endpoint), AMP())
    answer = await client.callRemote(Add, one=int(numbers[0]), other=int(numbers[1]))
    print(answer["sum"], flush=True)
    client.transport.loseConnection()


if __name__ == "__main__":
    react(main, sys.argv[1:])
