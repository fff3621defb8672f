"""
Tests of L{connectproxy.wire.authorization}.
"""
