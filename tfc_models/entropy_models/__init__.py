"""Latent codecs: quantise a latent, price it, and write it as bits."""

from tfc_models.entropy_models.autoregressive import AutoregressiveCodec
from tfc_models.entropy_models.base import LatentCodec
from tfc_models.entropy_models.factorized import SYMBOL_LIMIT, FactorizedCodec
from tfc_models.entropy_models.gaussian import (
    NUM_SCALES,
    SCALE_MAX,
    SCALE_MIN,
    GaussianCodec,
    GaussianParams,
    index_from_scale,
    integer_bits,
    params_from_integers,
    scale_from_index,
)
from tfc_models.entropy_models.sign import (
    LOGIT_BITS,
    BernoulliCodec,
    SignCodec,
    SignParams,
    read_flags,
    write_flags,
)

__all__ = [
    "LOGIT_BITS",
    "NUM_SCALES",
    "SCALE_MAX",
    "SCALE_MIN",
    "SYMBOL_LIMIT",
    "AutoregressiveCodec",
    "BernoulliCodec",
    "FactorizedCodec",
    "GaussianCodec",
    "GaussianParams",
    "LatentCodec",
    "SignCodec",
    "SignParams",
    "index_from_scale",
    "integer_bits",
    "params_from_integers",
    "read_flags",
    "scale_from_index",
    "write_flags",
]
