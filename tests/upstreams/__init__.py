"""
Tests of L{connectproxy.upstreams}.
"""
