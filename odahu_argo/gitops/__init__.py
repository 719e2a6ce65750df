"""GitOps: trainings as objects in git, for Argo CD, Flux or kubectl."""
