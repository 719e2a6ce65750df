"""MLflow in the steps: projects, runs, models, ODAHU's model binary, and the tracking server."""
