"""
Tests for L{connectproxy.endpoints}, module by module.
"""
