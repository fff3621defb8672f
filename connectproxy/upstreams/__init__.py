"""
The ways to a destination, one kind a module; a module's C{kind} provides
L{connectproxy.interfaces.IUpstreamKind}.
"""
