"""The plan on this machine."""
