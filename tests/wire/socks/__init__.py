"""
Tests of L{connectproxy.wire.socks}.
"""
