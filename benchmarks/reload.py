"""
The command C{python -m benchmarks.reload}: how long a reload of a long list holds anybody up.

One tunnel carries a message there and back all the time, and tunnels are opened one after
the other; what is measured is the longest time that one of either took, in a window without
a reload and in one with reloads behind each other.  The proxy runs as an operator would run
it, with an allow-list of many names and a control socket.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

__all__ = ["main"]

START = 60.0
"""Seconds for the proxy to begin to listen."""


class Window(NamedTuple):
    """
    What was seen in one window; times in milliseconds.

    @ivar reloads: how long each took, asked for by the control socket.
    @ivar pings: how long each message took, there and back.
    @ivar opens: how long each tunnel took to open.
    """

    name: str
    reloads: list[float]
    pings: list[float]
    opens: list[float]


def _writeLists(folder: Path, names: int, generation: int) -> None:
    """
    Write the configuration's list, replaced in one step.
    """
    lines = [f"host{number}.zone{number % 997}.example{generation}.test" for number in range(names)]
    lines.append("127.0.0.1/32")
    beside = folder / "names.new"
    beside.write_text("\n".join(lines) + "\n")
    beside.replace(folder / "names")


def _origin() -> socket.socket:
    """
    What echoes whatever comes, in threads of this process.
    """
    listening = socket.create_server(("127.0.0.1", 0))

    def echo(connection: socket.socket) -> None:
        with connection:
            while octets := connection.recv(4096):
                connection.sendall(octets)

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=echo, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listening


@contextmanager
def _proxy(folder: Path, core: int) -> Iterator[int]:
    """
    Run the proxy.

    @return: its port.
    """
    (folder / "proxy.toml").write_text(
        '[[listen]]\nendpoint = "127.0.0.1:0"\n[policy]\ndefault = "deny"\n[allow]\nlist = "names"\nports = "any"\n'
        'networks = ["127.0.0.0/8"]\n[control]\nsocket = "control"\n[access_log]\nfile = "access"\n'
    )
    command = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "-n", "--pidfile="]
    command += ["connectproxy", "--config", "proxy.toml"]
    with open(folder / "log", "wb") as log:
        child = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    try:
        os.sched_setaffinity(child.pid, {core})
        end = time.monotonic() + START
        while "listens at " not in (said := (folder / "log").read_text()):
            if child.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"the proxy does not start:\n{said}")
            time.sleep(0.05)
        yield int(said.partition("listens at 127.0.0.1:")[2].split()[0])
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait()


def _open(port: int, target: int) -> socket.socket:
    """
    Open a tunnel.
    """
    client = socket.create_connection(("127.0.0.1", port))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    authority = f"127.0.0.1:{target}"
    client.sendall(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
    answer = client.recv(4096)
    if b" 200 " not in answer:
        raise SystemExit(f"refused: {answer!r}")
    return client


def _reload(folder: Path) -> None:
    """
    Have the proxy read everything anew, and wait until it is in force.
    """
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(os.path.relpath(folder / "control"))
        control.sendall(b'{"command": "reload"}\n')
        octets = b""
        while more := control.recv(65536):
            octets += more
    done = json.loads(octets)
    if done["problems"]:
        raise SystemExit(f"not reloaded: {done['problems']}")


def _measure(name: str, folder: Path, ports: tuple[int, int], seconds: float, names: int) -> Window:
    """
    One window.

    @param ports: the proxy's and the origin's.
    @param names: of the lists that are reloaded; 0 for no reloads.
    """
    window = Window(name, [], [], [])
    end = time.monotonic() + seconds

    def ping() -> None:
        with _open(*ports) as client:
            while (began := time.perf_counter()) and time.monotonic() < end:
                client.sendall(b"x" * 64)
                client.recv(64)
                window.pings.append((time.perf_counter() - began) * 1e3)
                time.sleep(0.001)

    def open_() -> None:
        while time.monotonic() < end:
            began = time.perf_counter()
            client = _open(*ports)
            window.opens.append((time.perf_counter() - began) * 1e3)
            client.close()
            time.sleep(0.002)

    threads = [threading.Thread(target=each) for each in (ping, open_)]
    for thread in threads:
        thread.start()
    generation = 0
    while names and time.monotonic() < end - 1:
        generation += 1
        _writeLists(folder, names, generation)
        time.sleep(0.3)
        began = time.perf_counter()
        _reload(folder)
        window.reloads.append((time.perf_counter() - began) * 1e3)
    for thread in threads:
        thread.join()
    return window


def _row(window: Window) -> str:
    """
    A window's figures.
    """

    def figures(times: list[float]) -> str:
        ordered = sorted(times)
        return (
            f"{ordered[len(ordered) // 2]:8.2f} {ordered[len(ordered) * 99 // 100]:8.2f} {ordered[-1]:8.2f}"
        )

    reloads = f"{len(window.reloads):3} of {max(window.reloads):6.0f} ms" if window.reloads else "none"
    return f"{window.name:12} {reloads:>16}   {figures(window.pings)}   {figures(window.opens)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Measure, and print.

    @return: the exit code: 0, or 1 if anybody was held up for longer than permitted.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.reload",
        description="Measure how long a reload of a long list holds anybody up.",
    )
    parser.add_argument("--names", type=int, default=100_000, help="how many names the list has (100,000)")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each window lasts (10)")
    parser.add_argument("--most", type=float, default=50.0, metavar="MS", help="what is permitted (50)")
    options = parser.parse_args(arguments)
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    sys.setswitchinterval(0.0001)  # two threads measure here, and neither may wait for the other
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as name, _origin() as origin:
        folder = Path(name)
        _writeLists(folder, options.names, 0)
        with _proxy(folder, cores[0]) as port:
            ports = port, origin.getsockname()[1]
            _measure("warm-up", folder, ports, 1.0, 0)
            windows = [
                _measure("without", folder, ports, options.seconds, 0),
                _measure("with", folder, ports, options.seconds, options.names),
            ]
    print(f"{options.names:,} names; milliseconds: median, 99th percentile, worst")
    print(f"{'':12} {'reloads':>16}   {'message':>26}   {'CONNECT':>26}")
    for window in windows:
        print(_row(window))
    return int(max(*windows[1].pings, *windows[1].opens) > options.most)


if __name__ == "__main__":
    sys.exit(main())
