"""
Standard input and output as one transport, whatever they are: pipes, files, terminals,
sockets, or one of each.

Owns when they are read and written; how is L{connectproxy.commands.descriptor}'s.  Who speaks
through them is not known here: to him they are a transport of Twisted's like any other,
half-close and flow control included.

C{twisted.internet.stdio} is not it: that ends a stream by closing its descriptor, which
tells nobody where a socket is standard input as well; it reads 8 KiB at once; and it leaves
a terminal that it shares with a shell in a mode in which the shell's next command fails.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IReadDescriptor
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.python.failure import Failure
from zope.interface import implementer

from connectproxy.commands.descriptor import Descriptor

__all__ = ["StandardStreams"]


@implementer(IReadDescriptor)
class _Input:
    """
    Standard input, as a reactor sees it.
    """

    def __init__(self, streams: StandardStreams, descriptor: Descriptor) -> None:
        self._streams = streams
        self.descriptor = descriptor

    def fileno(self) -> int:
        """
        See L{IReadDescriptor}.
        """
        return self.descriptor.number

    def logPrefix(self) -> str:
        """
        See L{IReadDescriptor}.
        """
        return "stdin"

    def doRead(self) -> Any:
        """
        Pass on what has come.
        """
        try:
            octets = self.descriptor.read()
        except OSError:
            return CONNECTION_LOST
        if octets is None:
            return None
        if not octets:
            return CONNECTION_DONE
        self._streams.protocol.dataReceived(octets)
        return None

    def connectionLost(self, reason: Failure) -> None:
        """
        There will be no more.
        """
        self._streams.inputLost(reason)


class StandardStreams(FileDescriptor):
    """
    A transport that reads from one descriptor and writes to another.

    There is nothing that could be reset here: what has come is written in any case.

    @ivar protocol: whom it delivers to; it knows half-close.
    @ivar tellsEnd: whether the protocol is told of the end of the input.  Where that could
        not be passed on without ending the other direction as well, it is kept back.
    @ivar trouble: why the output is broken; L{None} as long as it is not.
    @ivar whenLost: called, once, when both descriptors are closed.
    """

    protocol: Any = None
    tellsEnd = True
    trouble: OSError | None = None
    whenLost: Callable[[], None] | None = None

    def __init__(self, reactor: Any, source: Descriptor, sink: Descriptor) -> None:
        """
        @param source: where the input comes from; it is this transport's from now on.
        @param sink: where the output goes to; likewise.
        """
        FileDescriptor.__init__(self, reactor)
        self.connected = 1
        self._terminal = source.isTerminal
        self._input: _Input | None = _Input(self, source)
        self._output: Descriptor | None = sink

    def fileno(self) -> int:
        """
        The output's; the input is watched apart.
        """
        return -1 if self._output is None else self._output.number

    def getHost(self) -> IAddress:
        """
        See L{ITransport<twisted.internet.interfaces.ITransport>}: an address without a name.
        """
        return UNIXAddress(None)

    def getPeer(self) -> IAddress:
        """
        See L{ITransport<twisted.internet.interfaces.ITransport>}: likewise.
        """
        return self.getHost()

    # The input.

    def startReading(self) -> None:
        """
        Read on.
        """
        if self._input is not None:
            self.reactor.addReader(self._input)

    def stopReading(self) -> None:
        """
        Read no more for now.
        """
        if self._input is not None:
            self.reactor.removeReader(self._input)

    def inputLost(self, reason: Failure) -> None:
        """
        The input has ended, or is broken.

        From now on it counts if nobody reads the output: both would mean that there is
        nobody left.
        """
        if not reason.check(ConnectionDone):
            self.connectionLost(reason)
            return
        self._closeInput()
        if self._output is not None and self._output.isPipe:
            self.reactor.addReader(self)  # a pipe for writing is readable only if it is broken
        if self.tellsEnd:
            self.protocol.readConnectionLost()

    def _closeInput(self) -> None:
        """
        Nothing is going to be read any more.
        """
        if self._input is not None:
            self.stopReading()
            self._input.descriptor.close()
            self._input = None

    # The output.

    def write(self, data: bytes) -> None:
        """
        Write, at once where nothing waits: that spares a turn of the reactor.
        """
        if self.connected and not self._tempDataLen and self.offset == len(self.dataBuffer):
            written = self.writeSomeData(data)
            if isinstance(written, int):  # else it fails once more, and is dealt with
                data = data[written:]
        if data:
            FileDescriptor.write(self, data)

    def writeSomeData(self, data: Any) -> int | Exception:
        """
        See L{FileDescriptor.writeSomeData}.
        """
        if self._output is None:
            return CONNECTION_LOST
        try:
            return self._output.write(data)
        except OSError as error:
            self.trouble = error
            return CONNECTION_LOST

    def loseWriteConnection(self) -> None:
        """
        End the output.  Who sits at a terminal can't be told, and need not end the input.
        """
        if self._terminal:
            self.loseConnection()
        else:
            FileDescriptor.loseWriteConnection(self)

    def _closeWriteConnection(self) -> None:
        """
        All has been written.
        """
        self._closeOutput()
        self.protocol.writeConnectionLost()

    def _closeOutput(self) -> None:
        """
        Nothing is going to be written any more.
        """
        output = self._output
        if output is not None:
            self.stopWriting()
            self.reactor.removeReader(self)
            self._output = None
            output.end()

    def doRead(self) -> Exception:
        """
        Nobody reads the output, which select can't tell from something to be read.
        """
        return CONNECTION_DONE

    def readConnectionLost(self, reason: Failure) -> None:
        """
        Nobody reads the output, and the input has ended.
        """
        unwritten = self._tempDataLen or self.offset < len(self.dataBuffer)
        self.connectionLost(Failure(CONNECTION_LOST) if unwritten else reason)

    # Both.

    def abortConnection(self) -> None:
        """
        The same as C{loseConnection}.
        """
        self.loseConnection()

    def connectionLost(self, reason: Failure) -> None:
        """
        It is over.
        """
        if self.disconnected:
            return
        FileDescriptor.connectionLost(self, reason)
        self._closeInput()
        self._closeOutput()
        protocol, self.protocol = self.protocol, None
        protocol.connectionLost(reason)
        if self.whenLost is not None:
            self.whenLost()
