"""Reusable Keras layers."""

from tfc_models.layers.case_graph import CaseGraph
from tfc_models.layers.centred import Centred, median_kernel
from tfc_models.layers.channel_norm import ChannelNorm
from tfc_models.layers.conv_transpose import Conv2DTranspose
from tfc_models.layers.exact import (
    ACTIVATION_LIMIT,
    SLOPES,
    ExactContextConv2D,
    ExactConv2D,
    ExactConv2DTranspose,
    as_constants,
    as_real,
    fixed,
    rounds,
)
from tfc_models.layers.gdn import GDN
from tfc_models.layers.instance_norm import InstanceNorm
from tfc_models.layers.lookup import (
    LOOKUP_BITS,
    LOOKUP_LIMIT,
    Lookup,
    lstm_step,
)
from tfc_models.layers.modulation import Condition, ExactModulation, Modulation
from tfc_models.layers.non_local import (
    ExactAttention,
    ExactBlock,
    NonLocalAttention,
    PlainBlock,
)
from tfc_models.layers.residual import ModulatedBlock, ResidualBlock
from tfc_models.layers.scaled_conv import ScaledConv2D, ScaledConv2DTranspose
from tfc_models.layers.spectral_conv import SpectralConv2D

__all__ = [
    "ACTIVATION_LIMIT",
    "GDN",
    "LOOKUP_BITS",
    "LOOKUP_LIMIT",
    "SLOPES",
    "CaseGraph",
    "Centred",
    "ChannelNorm",
    "Condition",
    "Conv2DTranspose",
    "ExactAttention",
    "ExactBlock",
    "ExactContextConv2D",
    "ExactConv2D",
    "ExactConv2DTranspose",
    "ExactModulation",
    "InstanceNorm",
    "Lookup",
    "ModulatedBlock",
    "Modulation",
    "NonLocalAttention",
    "PlainBlock",
    "ResidualBlock",
    "ScaledConv2D",
    "ScaledConv2DTranspose",
    "SpectralConv2D",
    "as_constants",
    "as_real",
    "fixed",
    "lstm_step",
    "median_kernel",
    "rounds",
]
