"""
Tests of L{connectproxy.address}.
"""
