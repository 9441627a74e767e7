"""What training can be told, with its defaults; sections of every recipe."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class DataOptions:
  """Where patches come from; the section `data` of a recipe.

  Attributes:
    train: folder (recursive), glob, or "tfds:NAME[:SPLIT]"; for video models folder
      or glob of .y4m files and folders of frames.
    validation: likewise, other images; "" validates on nothing.
    image_key: feature of a tfds set that holds the image.
    download: whether tfds may fetch a set that is not on this machine yet.
    patch_size: side in pixels.
    frames: of a sequence, for video models.
    batch_size: patches a step.
    max_downscale: images are shrunk by a random factor of 1 to this, which
      removes the artefacts of files that were JPEGs.
    cache_mib: decoded images of a folder are kept up to so many MiB.
    validation_batches: so many batches are looked at each time.
  """

  train: str = ""
  validation: str = ""
  image_key: str = "image"
  download: bool = False
  patch_size: int = 256
  frames: int = 2
  batch_size: int = 8
  max_downscale: float = 2.0
  cache_mib: int = 2048
  validation_batches: int = 16


@dataclasses.dataclass(frozen=True)
class OptimizerOptions:
  """What one of a model's networks is trained with; a part of `TrainOptions`."""

  optimizer: str
  learning_rate: float
  clip_norm: float
  beta_1: float
  beta_2: float
  epsilon: float


@dataclasses.dataclass(frozen=True)
class TrainOptions:
  """How long and towards what; the section `train` of a recipe.

  Attributes:
    distortion: "mse": loss = bpp + lmbda * mse, mse on 0..255; "mae": likewise
      with the mean absolute error; "ssim-mae": with that weighted by how much
      structure was lost; "log-mse": with the logarithm of mse, for progressive
      models, whose stages then count alike; "ms-ssim": loss = bpp + lmbda * (1 - ms_ssim).
    lmbda: see `distortion`; larger means more bits.
    target_bpp: only rate beyond it counts: loss = max(bpp - target_bpp, 0) + lmbda * mse,
      say, with bpp the mean of a batch (Mentzer et al., CVPR 2018); 0 for none.
    below_target: what rate up to that target counts, beside 1 for what is beyond
      (Mentzer et al., NeurIPS 2020).
    perceptual: distance that counts beside the distortion: "wasserstein", of local
      statistics of a filter bank, or "lpips:ALEXNET.pth,LINEAR.pth", with torchvision's
      file and that of the authors; "" for none.
    perceptual_weight: loss = bpp + lmbda * mse + perceptual_weight * distance.
    adversarial: weight of the loss against the discriminator of models that have one,
      likewise; 0 trains without it.
    optimizer: "adam"; "soap", which rotates gradients first: fewer steps to the same
      loss for a fifth more time each. Its betas are both 0.95 in its paper.
    learning_rate: of the optimizer, at the start.
    schedule: "constant"; "cosine", to a hundredth; "step", a tenth after each
      of `decay_at`.
    decay_at: fractions of the run.
    clip_norm: bound on the norm of the whole gradient; 0 for none. A bound that is
      below the usual norm makes all gradients small against epsilon.
    beta_1, beta_2, epsilon: of the optimizer. Parameters with smaller gradients than
      epsilon stand still; those of GDN have 1e-9 and less.
    rates: from parts, named as for `freeze`, to factors on the learning rate of what
      lies below them, such as {"z_codec": 10.0}; the longest name counts.
    networks: of models that train several: from the name of one beside "main" to a
      dict of those values from `optimizer` to `epsilon` that are its own.
    truncate: of progressive models: gradients stop after every so many iterations, so
      that late losses do not reach early ones; 0 lets them go through all.
    average: weights of the saved model are moving averages with this momentum,
      for instance 0.999; 0 saves them as they are.
    steps: length of the run.
    minutes: the run also ends, after an epoch, when it has taken so long; its
      schedule then follows whichever is nearer its end. 0 for no bound.
    steps_per_epoch: after so many: log, validate, checkpoint, save a model.
    weight_bits: of kernels in the saved model, 16 or 8; those of frozen parts keep 16.
    seed: of initial weights, patches and noise.
    init: weight file, training directory or shipped name to start from.
    init_parts: of these the parts to take, named as for `freeze`; the others start from
      data where they can. Empty: whatever agrees in name and shape.
    freeze: parts that keep their weights, such as "analysis_transform"; the names
      are those in weight files, up to any slash.
  """

  distortion: str = "mse"
  lmbda: float = 0.01
  target_bpp: float = 0.0
  below_target: float = 0.0
  perceptual: str = ""
  perceptual_weight: float = 0.0
  adversarial: float = 0.0
  optimizer: str = "adam"
  learning_rate: float = 1e-4
  schedule: str = "constant"
  decay_at: tuple = (0.8, 0.95)
  clip_norm: float = 10.0
  beta_1: float = 0.9
  beta_2: float = 0.999
  epsilon: float = 1e-10
  rates: dict = dataclasses.field(default_factory=dict)
  networks: dict = dataclasses.field(default_factory=dict)
  truncate: int = 0
  average: float = 0.0
  steps: int = 1_000_000
  minutes: float = 0.0
  steps_per_epoch: int = 200
  weight_bits: int = 16
  seed: int = 0
  init: str = ""
  init_parts: tuple = ()
  freeze: tuple = ()

  def __post_init__(self):
    # Plain dicts, whatever a recipe had: these go into JSON.
    object.__setattr__(self, "networks", {
        name: dict(values) for name, values in self.networks.items()})
    object.__setattr__(self, "rates", dict(self.rates))

  def of_optimizer(self, network="main"):
    """Returns the `OptimizerOptions` of a network.

    Raises:
      TypeError: if `networks` says something else of it.
    """
    own = {field.name: getattr(self, field.name)
           for field in dataclasses.fields(OptimizerOptions)}
    return OptimizerOptions(**{**own, **self.networks.get(network, {})})
