"""Reusable Keras layers."""

from tfc_models.layers.conv_transpose import Conv2DTranspose
from tfc_models.layers.exact import (
    ACTIVATION_LIMIT,
    ExactContextConv2D,
    ExactConv2D,
    ExactConv2DTranspose,
)
from tfc_models.layers.gdn import GDN
from tfc_models.layers.residual import ResidualBlock
from tfc_models.layers.scaled_conv import ScaledConv2D, ScaledConv2DTranspose

__all__ = [
    "ACTIVATION_LIMIT",
    "GDN",
    "Conv2DTranspose",
    "ExactContextConv2D",
    "ExactConv2D",
    "ExactConv2DTranspose",
    "ResidualBlock",
    "ScaledConv2D",
    "ScaledConv2DTranspose",
]
