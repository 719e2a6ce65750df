"""Compilation of plans to Argo objects."""
