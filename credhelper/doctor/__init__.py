"""What goes wrong in practice between a person's files, their environment and AWS: found, explained, and mended.

Each check is one function, in a file by theme, from a `Scene` to remarks. To look changes nothing; what is mended is
mended by the caller, once the person has agreed.
"""
