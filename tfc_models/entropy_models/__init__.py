"""Latent codecs: quantise a latent, price it, and write it as bits."""

from tfc_models.entropy_models.base import LatentCodec
from tfc_models.entropy_models.factorized import FactorizedCodec
from tfc_models.entropy_models.gaussian import (
    NUM_SCALES,
    SCALE_MAX,
    SCALE_MIN,
    GaussianCodec,
    GaussianParams,
    index_from_scale,
    scale_from_index,
)

__all__ = [
    "NUM_SCALES",
    "SCALE_MAX",
    "SCALE_MIN",
    "FactorizedCodec",
    "GaussianCodec",
    "GaussianParams",
    "LatentCodec",
    "index_from_scale",
    "scale_from_index",
]
