"""What MLflow has recorded of a run, to be looked at. Reading only, and never for longer than is said."""
