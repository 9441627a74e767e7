"""The networks of the split flavour for runtimes without TensorFlow.

A folder holds the three functions on tensors, `encode`, `hyper_decode` and `decode`,
as ONNX files or as one TFLite file with three signatures; `codec.json`, which
names latents and weights; and `tables.npz`, what the range coder needs.
"""

import os
import tempfile

import tensorflow as tf

from tfc_models.errors import UsageError
from tfc_models.export.signatures import concrete
from tfc_models.fileio import write_atomically, write_json

# Of ONNX; the first that carries all that these networks use.
_OPSET = 17


def write_onnx(folder, functions):
  """Writes a file NAME.onnx for each function.

  Args:
    folder: existing.
    functions: from name to `tf.function` of tensors.

  Raises:
    UsageError: if tf2onnx is not installed.
  """
  try:
    import tf2onnx
  except ImportError:
    raise UsageError(
        "tf2onnx is missing: pip install 'tfc_models[onnx]'") from None
  for name, function in functions.items():
    model, _ = tf2onnx.convert.from_function(
        function, function.function_spec.input_signature, opset=_OPSET)
    write_atomically(
        os.path.join(folder, f"{name}.onnx"), model.SerializeToString())


def write_tflite(folder, functions):
  """Writes `model.tflite`, with a signature for each function.

  Args:
    folder, functions: as of `write_onnx`.
  """
  with tempfile.TemporaryDirectory() as saved:
    tf.saved_model.save(
        tf.Module(), saved, concrete(functions),
        tf.saved_model.SaveOptions(experimental_custom_gradients=False))
    data = tf.lite.TFLiteConverter.from_saved_model(
        saved, signature_keys=list(functions)).convert()
  write_atomically(os.path.join(folder, "model.tflite"), data)


def write_side_files(folder, facts, tables):
  """Writes `codec.json` and `tables.npz`.

  Args:
    folder: existing.
    facts: dict.
    tables: bytes of an npz file.
  """
  write_json(os.path.join(folder, "codec.json"), facts)
  write_atomically(os.path.join(folder, "tables.npz"), tables)
