"""
A command on another machine by SSH, Twisted's own (conch), through proxies.

    pip install "Twisted[conch]"
    python examples/ssh.py USER@HOST:PORT KEY KNOWN_HOSTS COMMAND [PROXY ...]
    python examples/ssh.py me@host.example:22 ~/.ssh/id_ed25519 ~/.ssh/known_hosts uptime \\
        http://127.0.0.1:8080

KEY is a private key without a passphrase; the host's has to be in KNOWN_HOSTS already.  The
proxy has to allow the port: twistd -n connectproxy --allow-ports 22.
"""

import sys

from twisted.conch.client.knownhosts import KnownHostsFile
from twisted.conch.error import ConchError, HostKeyChanged
from twisted.conch.ssh.channel import SSHChannel
from twisted.conch.ssh.common import NS
from twisted.conch.ssh.connection import SSHConnection
from twisted.conch.ssh.keys import Key
from twisted.conch.ssh.transport import SSHClientTransport
from twisted.conch.ssh.userauth import SSHUserAuthClient
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.internet.task import react
from twisted.python.failure import Failure
from twisted.python.filepath import FilePath

from connectproxy.endpoints import ProxyConnectError, endpointThrough


class Transport(SSHClientTransport):
    """
    The connection, which goes through the proxies like any other.

    @ivar done: fires with the command's exit code.
    """

    def __init__(self, user, names, key, known, command):
        self.user, self.names, self.key, self.known, self.command = user, names, key, known, command
        self.done = Deferred()

    def finish(self, result):
        """
        It is over, by what comes first: a lost connection closes its channels too.
        """
        if not self.done.called:
            self.done.callback(result)

    def verifyHostKey(self, hostKey, fingerprint):
        """
        Who else than the host could answer is not known to a proxy, either.
        """
        key = Key.fromString(hostKey)
        try:
            if any(self.known.hasHostKey(name.encode(), key) for name in self.names):
                return succeed(True)
            words = "is not known"
        except HostKeyChanged:
            words = "is another than the one that is known"
        unknown = ConchError(f"the key of {self.names[0]} {words}: {fingerprint.decode()}")
        self.finish(Failure(unknown))
        return fail(unknown)

    def connectionSecure(self):
        """
        Say who asks.
        """
        self.requestService(Login(self.user.encode(), Connection(self)))

    def connectionLost(self, reason):
        """
        The end, which may be too early.
        """
        SSHClientTransport.connectionLost(self, reason)
        self.finish(Failure(ConchError(f"the connection is lost: {reason.getErrorMessage()}")))

    def receiveError(self, reasonCode, description):
        """
        The host has had enough, or we have.
        """
        SSHClientTransport.receiveError(self, reasonCode, description)
        self.finish(Failure(ConchError(description.decode("utf-8", "replace"), reasonCode)))


class Login(SSHUserAuthClient):
    """
    Shows one key.
    """

    shown = False

    def getPublicKey(self):
        """
        Once.
        """
        if self.shown:
            return None
        self.shown = True
        return self.instance.ssh.key.public()

    def getPrivateKey(self):
        """
        The proof.
        """
        return succeed(self.instance.ssh.key)


class Connection(SSHConnection):
    """
    One channel.
    """

    def __init__(self, ssh):
        SSHConnection.__init__(self)
        self.ssh = ssh

    def serviceStarted(self):
        """
        Who asks is known.
        """
        self.openChannel(Run(conn=self))


class Run(SSHChannel):
    """
    Runs the command, and prints what it says.
    """

    name = b"session"
    code = None

    def channelOpen(self, specificData):
        """
        Run it, without input.
        """
        self.conn.sendRequest(self, b"exec", NS(self.conn.ssh.command.encode()))
        self.conn.sendEOF(self)

    def openFailed(self, reason):
        """
        The host won't have it.
        """
        self.conn.ssh.finish(Failure(reason))

    def dataReceived(self, data):
        """
        Print it.
        """
        sys.stdout.buffer.write(data)
        sys.stdout.flush()

    def extReceived(self, dataType, data):
        """
        Print what it complains of.
        """
        sys.stderr.buffer.write(data)
        sys.stderr.flush()

    def request_exit_status(self, data):
        """
        Keep it.
        """
        self.code = int.from_bytes(data, "big")

    def closed(self):
        """
        It is over.
        """
        self.conn.ssh.finish(self.code)


async def main(reactor, where, key, known, command, *proxies):
    """
    Connect, and exit as the command does.
    """
    user, _, place = where.partition("@")
    host, _, port = place.rpartition(":")
    if proxies:
        endpoint = endpointThrough(reactor, proxies, host, int(port))
    else:
        endpoint = HostnameEndpoint(reactor, host, int(port))
    names = (host,) if port == "22" else (f"[{host}]:{port}", host)  # in OpenSSH's order
    ssh = Transport(user, names, Key.fromFile(key), KnownHostsFile.fromPath(FilePath(known)), command)
    try:
        await connectProtocol(endpoint, ssh)
        code = await ssh.done
    except (ProxyConnectError, ConchError) as failed:
        sys.exit(str(failed.value if isinstance(failed, ConchError) else failed))
    ssh.transport.loseConnection()
    sys.exit("nothing was said of how the command has ended" if code is None else code)


if __name__ == "__main__":
    react(main, sys.argv[1:])
