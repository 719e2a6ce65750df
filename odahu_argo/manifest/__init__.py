"""ODAHU-flow manifests: models, loading and references."""
