"""Trained weights to files that servers and other runtimes load."""

from tfc_models.export.export import FLAVORS, export

__all__ = ["FLAVORS", "export"]
