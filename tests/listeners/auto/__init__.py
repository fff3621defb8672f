"""
Tests of L{connectproxy.listeners.auto}.
"""
