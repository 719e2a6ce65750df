"""Migration of an ODAHU installation to a directory for Git."""
