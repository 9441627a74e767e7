"""A latent codec around two: a side latent says what the other looks like."""

import tensorflow as tf

from tfc_models.entropy_models.base import Given, LatentCodec
from tfc_models.layers import as_real
from tfc_models.ops import probe


class HyperpriorCodec(LatentCodec):
  """Codes z = analysis(y), then y given to_params(synthesis(z_hat)).

  Either codec may itself be a hyperprior, a split, or autoregressive.

  Its own params, if there are any, go to the three functions as a second argument, and
  to the codec of z.

  Args:
    analysis: function of y, (B, H, W, C), to z, `factor` times smaller.
    synthesis: function of z_hat to outputs the size of y. Whatever of them selects
      a table must be equal on every machine, see `layers.exact`.
    z_codec: `LatentCodec`.
    y_codec: `LatentCodec`.
    depth: channels of z.
    to_params: from outputs to the params of `y_codec`; by default as they are.
    factor: how much smaller z is a side.
    start: sets the networks before training: an object with `prepare(y)` and
      `rescale(factor)`, such as `AnalyticHyperprior` in `models.families`; None leaves
      them as they are.

  Source: Balle, Minnen, Singh, Hwang, Johnston, ICLR 2018, arXiv:1802.01436,
    section 3.
  """

  def __init__(self, analysis, synthesis, z_codec: LatentCodec,
               y_codec: LatentCodec, depth: int, to_params=None, factor: int = 4,
               start=None):
    super().__init__(f"{y_codec.name}_hyperprior", y_codec.reconstruction)
    self.analysis = analysis
    self.synthesis = synthesis
    self.z_codec = z_codec
    self.y_codec = y_codec
    self.depth = depth
    self.to_params = to_params
    self.factor = factor
    self.start = start

  def leaves(self):
    return [*self.z_codec.leaves(), *self.y_codec.leaves()]

  def parts(self):
    networks = {"hyper_analysis_transform": self.analysis,
                "hyper_synthesis_transform": self.synthesis}
    return {
        **{name: network for name, network in networks.items()
           if isinstance(network, tf.Module)},
        "z_codec": self.z_codec, "y_codec": self.y_codec}

  def params_of(self, z_hat, params=None):
    """Returns the params of `y_codec`."""
    more = () if params is None else (params,)
    with probe.span("hyper"):
      outputs = self.synthesis(z_hat, *more)
      return self.to_params(outputs, *more) if self.to_params else outputs

  def analyze(self, y, params=None):
    """Returns z."""
    with probe.span("hyper"):
      return self.analysis(y) if params is None else self.analysis(y, params)

  @property
  def weighs(self):
    return self.y_codec.weighs

  def __call__(self, y, params=None, noise=None, **more):
    with as_real(noise is not None):
      z_hat, z_bits = self.z_codec(self.analyze(y, params), params, noise)
      y_hat, y_bits = self.y_codec(
          y, self.params_of(z_hat, params), noise, **more)
    return y_hat, {**z_bits, **y_bits}

  def symbols(self, y, params=None, **more):
    z_coded, z_hat = self.z_codec.symbols(self.analyze(y, params), params)
    y_coded, y_hat = self.y_codec.symbols(
        y, self.params_of(z_hat, params), **more)
    return [*z_coded, *y_coded], y_hat

  def given(self, z, params=None) -> Given:
    """Returns what is left when z has been coded, of `analyze` or another one."""
    coded, z_hat, bits = self.z_codec.priced_symbols(z, params)
    return Given(self.y_codec, self.params_of(z_hat, params), coded, bits, z_hat)

  def decode(self, reader, shape, params=None):
    height, width, _ = shape
    z_hat = self.z_codec.decode(
        reader, (height // self.factor, width // self.factor, self.depth), params)
    return self.y_codec.decode(reader, shape, self.params_of(z_hat, params))

  def prepare(self, y):
    if self.start:
      self.start.prepare(y)
    self.z_codec.prepare(self.analyze(tf.constant(y)).numpy())

  def rescale(self, factor):
    if self.start:
      self.start.rescale(factor)

  def fix_tables(self):
    """Does nothing: the codecs inside have the tables."""
