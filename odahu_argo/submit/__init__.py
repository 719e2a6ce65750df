"""(4) A compiled workflow to the cluster: the Kubernetes API behind a few verbs, sending, and what is checked before."""
