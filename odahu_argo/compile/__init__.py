"""What Argo is told."""
