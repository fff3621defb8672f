"""
Tests for L{connectproxy.listeners.socks}.
"""
