"""Object stores behind one protocol.

`store` says what one can do, `opening` finds the one a connection names, `transfer` copies many objects at once.
"""
