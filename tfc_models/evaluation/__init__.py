"""Evaluation: codecs and images to records of rate, distortion and time."""

from tfc_models.evaluation.runner import Record, at_equal_bytes, measure

__all__ = ["Record", "at_equal_bytes", "measure"]
