"""Checks of a cluster before a training is submitted."""
