"""Learned codecs measured from inside: stages, iterations, shipped weights."""
