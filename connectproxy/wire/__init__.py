"""
What goes over the wire, one module for each protocol: octets in, values out, and
back.  Nothing in here knows a transport, a clock, Twisted or the policy.
"""
