"""Trainings as HTML and SVG. No I/O."""
