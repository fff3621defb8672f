"""
The proxy as it is run: a process of its own, with real clients and servers around it.
"""
