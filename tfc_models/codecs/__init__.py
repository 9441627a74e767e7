"""Codecs: an image to the bytes of a file and back, whatever is inside."""

from tfc_models.codecs.base import Codec, check_image
from tfc_models.codecs.classical import PillowCodec
from tfc_models.codecs.learned import LearnedCodec, StreamDecoder, load

__all__ = [
    "Codec",
    "LearnedCodec",
    "PillowCodec",
    "StreamDecoder",
    "check_image",
    "load",
]
