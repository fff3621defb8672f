"""
The protocols that clients speak, one kind a module; a module's C{kind} provides
L{connectproxy.interfaces.IListenerKind}.
"""
