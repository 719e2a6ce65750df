"""What the commands are written against: trainings, connections and toolchains on a cluster, or at an API server."""
