"""
Tests of L{connectproxy.http2}.
"""
