"""Weights to a numbered version that a server or another runtime loads."""

import numpy as np
import tensorflow as tf

from tfc_models.codecs import loading
from tfc_models.codecs.checks import MAX_PIXELS
from tfc_models.codecs.file_options import FileOptions
from tfc_models.errors import UsageError
from tfc_models.export import images, runtimes, saved_model, versions
from tfc_models.export.full import Full
from tfc_models.export.split import Split
from tfc_models.modeling.settings import Settings
from tfc_models.version import __version__

FLAVORS = ("full", "split", "onnx", "tflite")

# Pictures of the warm-up, which are usual sizes: some kernels are set up by size. With the
# last one signatures on tensors are called too, whose pixels are so many bytes.
_WARM_UP_SIZES = ((512, 768), (768, 512), (64, 64))


def export(model, quality=None, output=".", flavor="full", name=None,
           max_pixels=MAX_PIXELS):
  """Writes OUTPUT/NAME/VERSION, with the next free number.

  Args:
    model: registered name of shipped weights, training directory or weight file.
    quality: as of `codecs.load`.
    output: folder of all models.
    flavor: one of `FLAVORS`; see `full`, `split`, `runtimes`.
    name: of the model at the server; by default its registered name.
    max_pixels: larger images are refused by the export.

  Returns:
    path of the version, and a dict of what it holds.

  Raises:
    UsageError: if there are no such weights, the model has no such form, or a
      package is missing.
  """
  if flavor not in FLAVORS:
    raise UsageError(f"flavor must be one of {', '.join(FLAVORS)}, got {flavor}")
  codec = loading.load(model, quality, kinds=("image",))
  name = name or codec.model.registered_name
  if not name or name.startswith(".") or "/" in name:
    raise UsageError(f"a model cannot be called {name!r}", argument="name")
  form = (Full if flavor == "full" else Split)(codec, max_pixels)
  facts = {**_facts(codec, flavor, max_pixels), **form.facts}
  with versions.new(output, name) as version:
    if flavor in ("full", "split"):
      signatures = form.signatures(facts)
      saved_model.write(
          version.filling, name, signatures, facts,
          _requests(signatures, form.sequence))
    else:
      write = {"onnx": runtimes.write_onnx, "tflite": runtimes.write_tflite}[flavor]
      write(version.filling, form.of_tensors())
      runtimes.write_side_files(version.filling, facts, form.tables)
  return version.path, facts


def _facts(codec, flavor, max_pixels):
  """Returns what a client must know to write and read the same files."""
  _, settings = codec.checked_settings(Settings(effort=1), FileOptions())
  return {
      "tfc_models": __version__, "flavor": flavor,
      "model": codec.model.registered_name, "fingerprint": codec.fingerprint.hex(),
      "quality": codec.quality, "settings": settings,
      "arguments": codec.model.arguments, "max_pixels": max_pixels}


def _requests(signatures, sequence):
  """Returns requests that set up a server: pairs of a signature and its inputs.

  Args:
    signatures: from name to concrete function.
    sequence: those to call one after the other, each on what those before gave.
  """
  requests = []
  for height, width in _WARM_UP_SIZES:
    rows, columns = np.ogrid[:height, :width]
    # Neither flat nor noise, and the same everywhere.
    picture = np.stack([rows // 4 ^ columns // 4, rows // 2 + columns // 5,
                        rows // 7 ^ columns // 2], axis=-1)
    picture = tf.constant(np.uint8(picture % 256))
    known = {"image_bytes": images.encode(picture)[None], "image": picture[None]}
    called = list(sequence)
    if (height, width) == _WARM_UP_SIZES[-1]:
      called += [f"{name}_tensors" for name in sequence
                 if f"{name}_tensors" in signatures]
    for name in called:
      function = signatures[name]
      inputs = {spec.name: _like(spec, known[spec.name])
                for spec in function.structured_input_signature[0]}
      requests.append((name, {key: value.numpy() for key, value in inputs.items()}))
      known.update(function(*inputs.values()))
  return requests


def _like(spec, value):
  """Returns what a signature takes of one image, of what others took of a batch."""
  return value[0] if value.shape.rank == spec.shape.rank + 1 else value
