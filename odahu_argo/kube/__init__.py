"""Access to the Kubernetes API. Knows nothing of trainings."""
