"""Trainings as HTML and SVG. Pure functions without I/O."""
