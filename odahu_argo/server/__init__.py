"""ODAHU's API for trainings, upon Argo or upon this machine; it keeps nothing itself."""
