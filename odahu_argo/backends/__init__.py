"""Where trainings run: a cluster, an API server or this machine, behind one protocol."""
