"""What of an autoregressive decoder's time is arithmetic, and what walking."""

import statistics
import time

import tensorflow as tf

from tfc_models.ops import wavefront


def measure(codec, reader, source, shape, side, repeat):
  """Returns the medians of the seconds to decode one latent.

  Args:
    codec: `AutoregressiveCodec`.
    reader, source, shape, side: as `codec.walk` takes them.
    repeat: int, runs of each; one more warms up.

  Returns:
    dict with "fronts", their number, and seconds: "arithmetic" of the network for
    all sites at once, "range coder" for all symbols at once, "overhead", what the
    steps cost beyond that, and "total".
  """
  height, width = shape[:2]
  network = codec.network
  _, evidence = codec.walk(reader, source, shape, side)
  sites = tf.reshape(side, [len(side), height * width, side.shape[-1]])
  contexts = tf.zeros([
      len(side), height * width, len(network.offsets) * network.depth])
  predict = tf.function(lambda contexts, sites: network.at_sites(
      contexts, sites, None, network.site_weights())[0])
  total = _seconds(lambda: codec.walk(reader, source, shape, side), repeat)
  arithmetic = _seconds(lambda: predict(contexts, sites), repeat)
  # As many symbols, by the tables in the order in which the walk reads them.
  leaf, count = codec.codec, height * width * network.depth
  decode = tf.function(lambda evidence: leaf.decode_more(
      leaf.create_decoder(source, count), evidence)[1])
  coder = _seconds(lambda: decode(evidence), repeat)
  return {
      "fronts": wavefront.count(
          (height, width), wavefront.slopes(network.offsets)),
      "arithmetic": arithmetic, "range coder": coder,
      "overhead": total - arithmetic - coder, "total": total}


def _seconds(function, repeat):
  function()
  seconds = []
  for _ in range(repeat):
    start = time.perf_counter()
    function()
    seconds.append(time.perf_counter() - start)
  return statistics.median(seconds)
