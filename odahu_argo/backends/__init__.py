"""Backends: where trainings run. A cluster, an API server and this machine implement one protocol."""
