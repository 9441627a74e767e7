"""The `.tfcm` container: bytes to header and chunks, without TensorFlow."""

from tfc_models.bitstream.chunks import (
    ALPHA,
    FRAME,
    ITERATION,
    ITERATIONS,
    LATENT,
    METADATA,
    NESTS,
    PLANE,
    PREDICTED_ITERATION,
    SAMPLES,
    TILE,
    Chunk,
    coded_bytes,
    nest,
    unnest,
)
from tfc_models.bitstream.container import (
    METADATA_NAMES,
    PLANES,
    Stream,
    overhead,
    read,
    write,
)
from tfc_models.bitstream.grid import Box, Grid
from tfc_models.bitstream.header import (
    MAGIC,
    MAX_PIXELS,
    VERSION,
    Header,
    check_size,
)
from tfc_models.bitstream.thumbnail import THUMBNAIL_SIDE

__all__ = [
    "ALPHA",
    "FRAME",
    "ITERATION",
    "ITERATIONS",
    "LATENT",
    "MAGIC",
    "MAX_PIXELS",
    "METADATA",
    "METADATA_NAMES",
    "NESTS",
    "PLANE",
    "PLANES",
    "PREDICTED_ITERATION",
    "SAMPLES",
    "THUMBNAIL_SIDE",
    "TILE",
    "VERSION",
    "Box",
    "Chunk",
    "Grid",
    "Header",
    "Stream",
    "check_size",
    "coded_bytes",
    "nest",
    "overhead",
    "read",
    "unnest",
    "write",
]
