"""
Tests of L{connectproxy.commands}.
"""
