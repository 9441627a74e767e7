"""Makes latents of untrained models take many values, so that coding them is a test.

Fresh networks are nearly silent: their latents round to zero, all symbols have one
table, and a decoder that ignored them would be right.
"""

import numpy as np
import tensorflow as tf

# Fewer different integers say too little.
_FEW = 8


def wake(model, x, spread=3.0):
  """Scales the last layers of the transforms that make latents, in their order.

  A transform is a layer whose name ends with "analysis_transform". One that says
  something already, such as one that was made from data, is left alone.

  Args:
    model: built `Model`.
    x: a batch as `call` sees it.
    spread: standard deviation that a latent shall have.
  """
  networks = [
      module for module in model.submodules
      if isinstance(module, tf.keras.layers.Layer)
      and module.name.endswith("analysis_transform")]
  try:
    tf.config.run_functions_eagerly(True)  # Graphs would not show the values of y.
    for network in networks:
      network.call = _woken(network, network.call, spread)
    model(x)
  finally:
    tf.config.run_functions_eagerly(False)
    for network in networks:
      network.__dict__.pop("call", None)


def _woken(network, call, spread):
  def woken(*args, **kwargs):
    y = call(*args, **kwargs)
    if len(np.unique(np.round(y))) >= _FEW:
      return y
    last = (getattr(network, "layers", None) or [network])[-1]
    for variable in last.trainable_variables:
      variable.assign(spread / np.std(y) * variable)
    return call(*args, **kwargs)

  return woken
