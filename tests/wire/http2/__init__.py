"""
Tests of L{connectproxy.wire.http2}.
"""
