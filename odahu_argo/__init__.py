"""odahu-argo: ODAHU-flow's ModelTraining manifests on Argo Workflows."""

__version__ = "0.1.0"
