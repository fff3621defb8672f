"""
The commands of C{connectproxy}: one module each, whose C{main} takes the command line behind
the command's name and returns the status to exit with.
"""
