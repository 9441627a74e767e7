"""Networks of other toolkits in our terms, whichever these are."""

from typing import NamedTuple

import numpy as np

from tfc_models.layers import median_kernel


class FileName(NamedTuple):
  """What the name of a published file says; all None for others."""

  model: str = None
  metric: str = None
  quality: int = None
  digest: str = None


class Weights(NamedTuple):
  """A network of another toolkit in our terms.

  Attributes:
    origin: whose conventions it keeps, see `models.families.origin`.
    model: registered name.
    num_filters, latent_depth: N, M.
    arrays: from object path, see `modeling.weights`, to array, of all that is real;
      the tables and the bits of integer kernels come later.
    latent: path of the codec under a density: "z_codec" or "y_codec".
    medians: (C,) of that latent.
    tables: its cdf and cdf_offset.
  """

  origin: str
  model: str
  num_filters: int
  latent_depth: int
  arrays: dict
  latent: str
  medians: np.ndarray
  tables: tuple


def assembled(origin, model, num_filters, latent_depth, arrays, medians, density,
              coding):
  """Returns the `Weights` of a network that rounds a latent without its medians.

  Args:
    origin, model, num_filters, latent_depth: as there.
    arrays: as there, as if medians were zero, and without the density.
    medians: (C,) of the latent under a density.
    density: dict from path below that density to array, of what lacks its medians.
    coding: its tables.
  """
  latent, last, first = (
      ("y_codec", "analysis_transform/layer-6", "synthesis_transform/layer-0")
      if model == "bmshj2018-factorized" else
      ("z_codec", "hyper_analysis_transform/layer-2",
       "hyper_synthesis_transform/layer-0"))
  arrays = dict(arrays)
  arrays.update({f"{latent}/prior/_base/{path}": a for path, a in density.items()})
  # Off before what is rounded, and back on the plane of `layers.Centred`.
  arrays[f"{last}/bias"] = arrays[f"{last}/bias"] - medians
  kernel = arrays[f"{first}/kernel"]
  arrays[f"{first}/kernel"] = np.concatenate(
      [kernel, median_kernel(kernel, medians)], axis=-1)
  return Weights(origin, model, num_filters, latent_depth, arrays, latent, medians,
                 coding)


def centred(path, kernel, bias):
  """Returns the arrays of a layer of a `layers.Centred`, from those of its source."""
  return {f"{path}/kernel": kernel[::-1, ::-1], f"{path}/bias": bias}
