"""
Tests of L{connectproxy.rehearsal}.
"""
