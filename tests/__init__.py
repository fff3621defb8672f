"""
The tests; the tree mirrors the one of L{connectproxy}.
"""
