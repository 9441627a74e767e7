"""Times CompressAI's models, in an environment of their own; needs no tfc_models.

    python -m venv peer && peer/bin/pip install torch "compressai==1.2.8" "numpy<2"
    tfcm benchmark --models=bmshj2018_hyperprior --peer=peer/bin/python

Reads lines of JSON from stdin and answers each with a line: first
{"model", "num_filters", "latent_depth", "height", "width", "batch", "patch",
"threads"}, answered by versions; then "encode", "decode" or "train" (one
step), answered by seconds. Random weights, scaled so that latents have a
standard deviation of 1, as those of trained models nearly do: time does not
depend on more, but random ones would be coded by slow escapes.
"""

import importlib.machinery
import json
import sys
import time
import types


def stub_torchvision():
  """CompressAI imports it for data sets alone, and some builds do not load."""

  class Stub(types.ModuleType):

    def __getattr__(self, name):
      if name.startswith("__"):
        raise AttributeError(name)
      return type(name, (), {})

  for name in ("", ".transforms", ".transforms.functional", ".transforms.v2",
               ".datasets", ".models", ".ops", ".utils"):
    module = Stub("torchvision" + name)
    module.__path__ = []
    module.__spec__ = importlib.machinery.ModuleSpec("torchvision" + name, None)
    sys.modules["torchvision" + name] = module


class Peer:
  """A model of CompressAI and what it is timed on."""

  def __init__(self, request):
    import torch
    from compressai import models
    self.torch = torch
    torch.set_num_threads(request["threads"])
    torch.manual_seed(0)
    cls = {
        "bmshj2018-factorized": models.FactorizedPrior,
        "bmshj2018-hyperprior": models.ScaleHyperprior,
        "mbt2018-mean": models.MeanScaleHyperprior,
        "mbt2018": models.JointAutoregressiveHierarchicalPriors,
    }[request["model"]]
    self.model = cls(request["num_filters"], request["latent_depth"])
    x = torch.rand(1, 3, request["height"] // 8, request["width"] // 8)
    self.x = torch.nn.functional.interpolate(
        x, (request["height"], request["width"]), mode="bicubic").clamp(0, 1)
    with torch.no_grad():
      self._scale(self.model.g_a, self.x)
      if hasattr(self.model, "h_a"):
        self._scale(self.model.h_a, torch.abs(self.model.g_a(self.x)))
    self.model.update(force=True)
    self.patches = torch.rand(
        request["batch"], 3, request["patch"], request["patch"])
    self.optimizer = torch.optim.Adam(self.model.parameters(), 1e-4)
    self.coded = None

  def _scale(self, transform, x):
    deviation = transform(x).std()
    for parameter in transform[-1].parameters():
      parameter /= deviation

  def encode(self):
    """Codes the image."""
    with self.torch.no_grad():
      self.coded = self.model.compress(self.x)

  def decode(self):
    """Decodes what `encode` made."""
    with self.torch.no_grad():
      self.model.decompress(self.coded["strings"], self.coded["shape"])

  def train(self):
    """Takes one step on bpp + 0.01 mse, with Adam."""
    self.optimizer.zero_grad()
    result = self.model(self.patches)
    pixels = self.patches.numel() / 3
    bpp = sum(-self.torch.log2(p).sum()
              for p in result["likelihoods"].values()) / pixels
    error = self.torch.mean((result["x_hat"] - self.patches)**2)
    (bpp + 0.01 * 255**2 * error).backward()
    self.optimizer.step()


def main():
  """Serves requests until stdin ends."""
  stub_torchvision()
  import compressai
  import torch
  peer = Peer(json.loads(sys.stdin.readline()))
  print(json.dumps({
      "compressai": compressai.__version__, "torch": torch.__version__,
      "threads": torch.get_num_threads()}), flush=True)
  for line in sys.stdin:
    work = getattr(peer, line.strip())
    start = time.perf_counter()
    work()
    print(json.dumps(time.perf_counter() - start), flush=True)


if __name__ == "__main__":
  main()
