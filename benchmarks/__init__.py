"""
What the figures in the README come from: C{python -m benchmarks}.

One run starts each proxy in turn on a core of its own, drives it from another
core, and reports what it delivered and what it cost, beside plain Twisted
wiring and beside proxies that Debian and PyPI provide.  C{README.md} in this
folder says how to run it and how to read it.

 - L{benchmarks.loop}: readiness of descriptors; knows no proxy.
 - L{benchmarks.origin}: the far end, which echoes, sends and discards.
 - L{benchmarks.tunnel}: the near end, from C{CONNECT} to an open tunnel.
 - L{benchmarks.meter}: processor time and memory of a process and its children.
 - L{benchmarks.bench}: one proxy under measurement: tunnels in numbers, windows of time.
 - L{benchmarks.traffic}: what goes through a tunnel, one class for each kind of use.
 - L{benchmarks.modes}: what is measured, one function for each family.
 - L{benchmarks.peers}: the proxies and how each is started.
 - L{benchmarks.child}: one proxy's life: start, first tunnel, stop.
 - L{benchmarks.report}: from records to medians, ratios and tables.
 - C{plain.py}: plain Twisted wiring, the peer that everybody has.

It needs Linux: epoll, C{/proc}, and C{MSG_TRUNC} on TCP.
"""
