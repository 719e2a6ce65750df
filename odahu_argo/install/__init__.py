"""Installation of a namespace and of an MLflow server."""
