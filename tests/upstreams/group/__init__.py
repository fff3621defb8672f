"""
Tests of L{connectproxy.upstreams.group}.
"""
