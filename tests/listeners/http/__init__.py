"""
Tests of L{connectproxy.listeners.http}.
"""
