"""
The built-in rules, one kind a module; a module's C{kind} provides
L{connectproxy.interfaces.IRuleKind}.
"""
