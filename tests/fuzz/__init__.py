"""
Fuzzing of everything that reads a peer's octets.

L{tests.fuzz.targets} has a function for each parser; the suite runs them briefly, and
C{scripts/fuzz} for as long as one likes, led by what the code does (atheris).
"""
