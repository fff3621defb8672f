"""
Tests of L{connectproxy.wire}.
"""
