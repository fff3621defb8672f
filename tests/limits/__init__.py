"""
Tests for L{connectproxy.limits}, module by module.
"""
