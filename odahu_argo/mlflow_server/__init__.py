"""MLflow's tracking server on a cluster: what it can be told, its manifests, its Helm chart, and how it is installed."""
