"""One model around any latent codec: two transforms, and what codes between them."""

from tfc_models.entropy_models import LatentCodec
from tfc_models.modeling import base
from tfc_models.modeling.settings import EVALUATION, Settings


class TransformModel(base.CompressionModel):
  """Codes y = analysis(x); the decoder shows synthesis(y_hat).

      x -> analysis -> y -> latent codec -> [strings] -> y_hat -> synthesis -> x_hat

  The parts of the codec are also attributes of the model, so that weight files call
  them as papers do: z_codec, y_codec ...

  Args:
    analysis, synthesis: the transforms, Keras layers.
    codec: `LatentCodec` of y, without params; `HyperpriorCodec` and others nest.
    factor: how much smaller y is a side than the image.
    depth: channels of y.
  """

  def __init__(self, analysis, synthesis, codec: LatentCodec, factor: int,
               depth: int):
    super().__init__()
    self.analysis_transform = analysis
    self.synthesis_transform = synthesis
    self.latent_codec = codec
    for name, part in codec.parts().items():
      setattr(self, name, part)
    self.factor = factor
    self.depth = depth

  @property
  def latents(self):
    return self.latent_codec.latents

  def call(self, x, training=False, settings=Settings(), context=EVALUATION):
    y_hat, bits = self.latent_codec(self.analyze(x), noise=context.noise)
    return base.ModelOutput(self.synthesize(y_hat), bits)

  def encode(self, x, settings):
    strings, _ = self.latent_codec.compress(self.analyze(x))
    return [base.latent_chunk(strings)]

  def decode(self, chunks, header):
    strings = base.latent_strings(chunks, len(self.latents))
    shape = self.latent_shape(header, self.factor, self.depth)
    return self.synthesize(self.latent_codec.decompress(strings, shape))

  def analyze(self, x):
    """Returns y, (B, H / factor, W / factor, depth), of (B, H, W, 3) in [0, 1]."""
    return self.analysis_transform(x)

  def synthesize(self, y_hat):
    """Returns x_hat of y_hat."""
    return self.synthesis_transform(y_hat)
