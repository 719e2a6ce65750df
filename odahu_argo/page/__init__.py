"""Trainings to look at: what there is to show, gathered into plain values, and HTML and pictures made of these."""
