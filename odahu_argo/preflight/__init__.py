"""Read-only checks of a cluster before a training is submitted."""
