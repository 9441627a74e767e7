"""Tensors in, tensors out: no variables, no models."""
