"""
Tests of L{connectproxy.datagrams}.
"""
