"""The Kubernetes API client. Independent of trainings."""
