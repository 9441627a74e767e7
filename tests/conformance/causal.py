"""What every causal network must do, see `transforms.causal.CausalNetwork`."""

import numpy as np
import tensorflow as tf

from tfc_models.entropy_models import AutoregressiveCodec
from tfc_models.ops import wavefront


def check(network, codec, to_params, y, side):
  """Holds a built network to its contract.

  Args:
    network: `CausalNetwork` with weights that depend on the context.
    codec: `SymbolCodec` with tables.
    to_params: as of `AutoregressiveCodec`.
    y: (B, H, W, C) latent. side: side information, (B, *sizes, D).
  """
  walk = AutoregressiveCodec(codec, network, to_params)
  coded, y_hat = walk.symbols(y, side)
  assert len(np.unique(coded[0].evidence)) > 3, "the context says nothing"
  shape = tuple(y.shape[1:])
  # What is read, from strings or symbols, is what was written.
  strings, _ = walk.compress(y, side)
  for found in (walk.decompress(strings, shape, side),
                walk.from_symbols([coded[0].symbols], shape, side)):
    np.testing.assert_array_equal(found, y_hat)
  # All sites at once say the same as one front after the other.
  sites = walk._as_sites(y_hat)
  params = to_params(network(sites, side))
  at_once = walk._as_latent(codec.quantize(walk._as_sites(y), params)[0])
  np.testing.assert_array_equal(at_once, y_hat)
  _nothing_sees_the_future(network, sites.numpy(), side)


def _nothing_sees_the_future(network, sites, side):
  sizes = sites.shape[1:-1]
  count = int(np.prod(sizes))
  expected = np.reshape(network(sites, side), [len(sites), count, -1])
  slopes = wavefront.slopes(network.offsets)
  assert all(delay > 0 for delay in wavefront.delays(network.offsets, slopes))
  for site in {0, count // 3, count // 2, count - 1}:
    changed = np.reshape(sites, [len(sites), count, -1]).copy()
    changed[:, site:] += 5.0
    found = np.reshape(
        network(tf.constant(changed.reshape(sites.shape)), side),
        [len(sites), count, -1])
    np.testing.assert_array_equal(found[:, :site + 1], expected[:, :site + 1])
