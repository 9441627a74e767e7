"""Shipped weights: which there are, and where others are found."""

from tfc_models.pretrained.loader import (
    MODEL_PATH_VARIABLE,
    TUNES,
    find_by_fingerprint,
    find_by_name,
    lossless,
    manifest,
    training_weights,
    tuned,
    weight_path,
)

__all__ = [
    "MODEL_PATH_VARIABLE",
    "TUNES",
    "find_by_fingerprint",
    "find_by_name",
    "lossless",
    "manifest",
    "training_weights",
    "tuned",
    "weight_path",
]
