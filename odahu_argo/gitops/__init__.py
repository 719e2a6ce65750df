"""Trainings as objects in git, brought to clusters by Argo CD, Flux or kubectl."""
