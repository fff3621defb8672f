"""
Tests of L{connectproxy.interfaces}.
"""
