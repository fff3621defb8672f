"""
Tests of L{connectproxy.upstreams.http2}.
"""
