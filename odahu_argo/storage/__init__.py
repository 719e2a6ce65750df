"""Object stores behind one protocol.

`factory` opens the store of a connection, `base` describes what a store does, `transfer` copies many objects at once.
"""
