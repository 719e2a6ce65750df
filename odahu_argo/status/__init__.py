"""(5) What became of a training: Argo's Workflow read back in ODAHU's words, watched, and remembered."""
