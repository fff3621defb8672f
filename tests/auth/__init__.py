"""
Tests of L{connectproxy.auth}.
"""
