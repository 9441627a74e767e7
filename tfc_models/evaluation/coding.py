"""One codec on one image, there and back: bytes, seconds, memory."""

import dataclasses
import time

import numpy as np

from tfc_models import memory


@dataclasses.dataclass(frozen=True)
class Coded:
  """What a codec made of an image.

  Attributes:
    data: the file's bytes.
    decoded: uint8 array (H, W, 1 or 3).
    encode_seconds, decode_seconds: wall clock.
    peak_mib: the most memory of this process meanwhile, all that it holds
      included, or that of a program that the codec ran.
  """

  data: bytes = dataclasses.field(repr=False)
  decoded: np.ndarray = dataclasses.field(repr=False)
  encode_seconds: float
  decode_seconds: float
  peak_mib: float


def code(codec, image, settings=None):
  """Returns what a `codecs.Codec` makes of a uint8 image, `Coded`."""
  memory.reset_peak()
  start = time.perf_counter()
  data = codec.encode(image, settings)
  encoded = time.perf_counter()
  program_mib = codec.program_mib
  decoded = codec.decode(data)
  done = time.perf_counter()
  peak_mib = max(program_mib, codec.program_mib) or memory.peak_mib()
  return Coded(data, decoded, encoded - start, done - encoded, peak_mib)
