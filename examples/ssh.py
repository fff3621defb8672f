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
from twisted.conch.error import ConchError
from twisted.conch.ssh.channel import SSHChannel
from twisted.conch.ssh.common import NS
from twisted.conch.ssh.connection import SSHConnection
from twisted.conch.ssh.keys import Key
from twisted.conch.ssh.transport import SSHClientTransport
from twisted.conch.ssh.userauth import SSHUserAuthClient
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.internet.task import react
from twisted.python.filepath import FilePath

from connectproxy.endpoints import endpointThrough


class Transport(SSHClientTransport):
    """
    The connection, which goes through the proxies like any other.

    @ivar done: fires with the command's exit code.
    """

    def __init__(self, user, names, key, known, command):
        self.user, self.names, self.key, self.known, self.command = user, names, key, known, command
        self.done = Deferred()

    def verifyHostKey(self, hostKey, fingerprint):
        """
        Who else than the host could answer is not known to a proxy, either.
        """
        key = Key.fromString(hostKey)
        if any(self.known.hasHostKey(name.encode(), key) for name in self.names):
            return succeed(True)
        unknown = ConchError(f"the key of {self.names[0]} is not known: {fingerprint.decode()}")
        self.done.errback(unknown)
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
        if not self.done.called:
            self.done.errback(reason)

    def receiveError(self, reasonCode, description):
        """
        The host has had enough, or we have.
        """
        SSHClientTransport.receiveError(self, reasonCode, description)
        if not self.done.called:
            self.done.errback(ConchError(description.decode("utf-8", "replace"), reasonCode))


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
        Run it.
        """
        self.conn.sendRequest(self, b"exec", NS(self.conn.ssh.command.encode()))

    def dataReceived(self, data):
        """
        Print it.
        """
        sys.stdout.buffer.write(data)
        sys.stdout.flush()

    def request_exit_status(self, data):
        """
        Keep it.
        """
        self.code = int.from_bytes(data, "big")

    def closed(self):
        """
        It is over.
        """
        self.conn.ssh.done.callback(self.code)


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
    names = host, f"[{host}]:{port}"  # how OpenSSH notes a port of its own
    ssh = Transport(user, names, Key.fromFile(key), KnownHostsFile.fromPath(FilePath(known)), command)
    await connectProtocol(endpoint, ssh)
    code = await ssh.done
    ssh.transport.loseConnection()
    sys.exit(1 if code is None else code)


if __name__ == "__main__":
    react(main, sys.argv[1:])
