"""
Tests of L{connectproxy.listeners}.
"""
