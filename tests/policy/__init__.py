"""
Tests of L{connectproxy.policy}.
"""
