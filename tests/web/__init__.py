"""
Tests for L{connectproxy.web}, module by module.
"""
