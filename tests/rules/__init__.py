"""
Tests of L{connectproxy.rules}.
"""
