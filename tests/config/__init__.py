"""
Tests for L{connectproxy.config}, module by module.
"""
