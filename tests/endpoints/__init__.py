"""
Tests for L{connectproxy.tls}, module by module.
"""
