"""What a codec's networks weigh the sites of an image by, as pictures."""

import collections
from typing import NamedTuple

import numpy as np
from PIL import Image

from tfc_models.errors import UsageError
from tfc_models.ops import probe

_KINDS = ("attention", "importance")


class Map(NamedTuple):
  """Weights of sites.

  Attributes:
    name: "attention" or "importance", with a number from 1 where there are several.
    weights: float array (h, w), 0 to 1, the means of all channels.
    side: pixels that a site is wide.
  """

  name: str
  weights: np.ndarray
  side: int

  def picture(self, height, width):
    """Returns uint8 (H, W, 1): the largest weight white, the least black.

    Args:
      height, width: of the image, whose padding is left out.
    """
    low, high = self.weights.min(), self.weights.max()
    scaled = (self.weights - low) * (255.0 / max(high - low, 1e-9))
    rows, columns = self.weights.shape
    large = Image.fromarray(np.uint8(np.rint(scaled))).resize(
        (columns * self.side, rows * self.side), Image.Resampling.NEAREST)
    return np.asarray(large)[:height, :width, None]


def maps(codec, image):
  """Returns the maps of an image, in the order in which the sender makes them.

  Args:
    codec: `LearnedCodec`.
    image: uint8 array (H, W, 1 or 3).

  Raises:
    UsageError: if the model has neither attention nor a map.
  """
  with probe.listening() as events:
    codec.encode(image)
  found = [(kind, value.numpy()[0].mean(axis=-1)) for kind, value in events
           if kind in _KINDS]
  if not found:
    raise UsageError(
        f"{codec.name}: has neither attention nor an importance map to show")
  padded = codec.model.to_batch(image).shape[1]
  numbers, named = collections.Counter(), []
  several = collections.Counter(kind for kind, _ in found)
  for kind, weights in found:
    numbers[kind] += 1
    name = f"{kind} {numbers[kind]}" if several[kind] > 1 else kind
    named.append(Map(name, weights, padded // len(weights)))
  return named
