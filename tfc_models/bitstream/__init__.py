"""The `.tfcm` container: bytes to header and chunks, without TensorFlow."""

from tfc_models.bitstream.container import (
    ITERATION,
    ITERATIONS,
    LATENT,
    MAGIC,
    MAX_PIXELS,
    METADATA,
    PREDICTED_ITERATION,
    VERSION,
    Chunk,
    Header,
    check_size,
    coded_bytes,
    overhead,
    read,
    write,
)
from tfc_models.bitstream.thumbnail import THUMBNAIL_SIDE

__all__ = [
    "ITERATION",
    "ITERATIONS",
    "LATENT",
    "MAGIC",
    "MAX_PIXELS",
    "METADATA",
    "PREDICTED_ITERATION",
    "THUMBNAIL_SIDE",
    "VERSION",
    "Chunk",
    "Header",
    "check_size",
    "coded_bytes",
    "overhead",
    "read",
    "write",
]
