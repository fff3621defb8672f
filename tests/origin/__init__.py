"""
Tests of L{connectproxy.origin}.
"""
