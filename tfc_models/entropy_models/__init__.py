"""Latent codecs: quantise a latent, price it, and write it as bits."""

from tfc_models.entropy_models.autoregressive import AutoregressiveCodec
from tfc_models.entropy_models.base import (
    NEAREST,
    STILL,
    Coded,
    Given,
    LatentCodec,
)
from tfc_models.entropy_models.categories import CategoricalCodec
from tfc_models.entropy_models.centres import CentresCodec
from tfc_models.entropy_models.channel_gaussian import ChannelGaussianCodec
from tfc_models.entropy_models.checkerboard import CheckerboardCodec
from tfc_models.entropy_models.conditional import ConditionalFactorizedCodec
from tfc_models.entropy_models.factorized import SYMBOL_LIMIT, FactorizedCodec
from tfc_models.entropy_models.flags import read_flags, write_flags
from tfc_models.entropy_models.frequencies import FrequencyCodec
from tfc_models.entropy_models.gain import GainCodec
from tfc_models.entropy_models.gaussian import (
    NUM_SCALES,
    SCALE_MAX,
    SCALE_MIN,
    GaussianCodec,
    GaussianParams,
    index_from_scale,
    scale_from_index,
)
from tfc_models.entropy_models.hyperprior import HyperpriorCodec
from tfc_models.entropy_models.importance import ImportanceCodec
from tfc_models.entropy_models.integer_params import (
    INDEX_UNIT,
    integer_bits,
    params_from_integers,
)
from tfc_models.entropy_models.levels import LevelCodec
from tfc_models.entropy_models.logistic import LOGISTIC_SCALES, LogisticCodec
from tfc_models.entropy_models.masked import MaskedCodec
from tfc_models.entropy_models.mixture import (
    MixtureCodec,
    MixtureParams,
    mixture_bits,
    mixture_from_integers,
)
from tfc_models.entropy_models.reading import (
    EvidenceReader,
    StringReader,
    SymbolReader,
)
from tfc_models.entropy_models.shown import ShownCodec, ShownParams
from tfc_models.entropy_models.sign import (
    LOGIT_BITS,
    BernoulliCodec,
    SignCodec,
    SignParams,
)
from tfc_models.entropy_models.space_channel import (
    SpaceChannelCodec,
    SpaceChannelParams,
)
from tfc_models.entropy_models.split import SplitCodec
from tfc_models.entropy_models.subband_steps import (
    QUALITIES,
    SubbandSteps,
    quality_of,
    step_of,
)
from tfc_models.entropy_models.subbands import SubbandCodec
from tfc_models.entropy_models.symbol_codec import SymbolCodec
from tfc_models.entropy_models.tables import LIMIT
from tfc_models.entropy_models.two_pass import TwoPassCodec

__all__ = [
    "INDEX_UNIT",
    "LIMIT",
    "LOGISTIC_SCALES",
    "LOGIT_BITS",
    "NEAREST",
    "NUM_SCALES",
    "QUALITIES",
    "SCALE_MAX",
    "SCALE_MIN",
    "STILL",
    "SYMBOL_LIMIT",
    "AutoregressiveCodec",
    "BernoulliCodec",
    "CategoricalCodec",
    "CentresCodec",
    "ChannelGaussianCodec",
    "CheckerboardCodec",
    "Coded",
    "ConditionalFactorizedCodec",
    "EvidenceReader",
    "FactorizedCodec",
    "FrequencyCodec",
    "GainCodec",
    "GaussianCodec",
    "GaussianParams",
    "Given",
    "HyperpriorCodec",
    "ImportanceCodec",
    "LatentCodec",
    "LevelCodec",
    "LogisticCodec",
    "MaskedCodec",
    "ShownCodec",
    "ShownParams",
    "MixtureCodec",
    "MixtureParams",
    "SignCodec",
    "SignParams",
    "SpaceChannelCodec",
    "SpaceChannelParams",
    "SplitCodec",
    "StringReader",
    "SubbandCodec",
    "SubbandSteps",
    "SymbolCodec",
    "SymbolReader",
    "TwoPassCodec",
    "index_from_scale",
    "integer_bits",
    "mixture_bits",
    "mixture_from_integers",
    "params_from_integers",
    "quality_of",
    "read_flags",
    "scale_from_index",
    "step_of",
    "write_flags",
]
