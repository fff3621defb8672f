"""
Tests of L{connectproxy.wire.proxyheader}.
"""
