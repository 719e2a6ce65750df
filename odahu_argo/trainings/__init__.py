"""What a user does with trainings on a cluster; the command line and the API server stand on it."""
