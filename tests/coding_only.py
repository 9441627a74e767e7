"""The command line as it is where TensorFlow Compression is not, in a new process.

    python -m tests.coding_only [nothing] VERB ...

Of its operations the package here has the same; with "nothing" these are missing too.
"""

import sys
import types

OPERATIONS = (
    "create_range_decoder", "create_range_encoder", "entropy_decode_index",
    "entropy_encode_finalize", "entropy_encode_index")


def stand_for(modules):
  """Puts the packages of a later TensorFlow into a dict of modules.

  Args:
    modules: `sys.modules`, or what stands for it.
  """
  import tensorflow as tf
  import tensorflow_compression as whole
  found = types.ModuleType("tensorflow_compression_ops")
  for name in OPERATIONS:
    setattr(found, name, getattr(whole, name))
  modules["tensorflow_compression_ops"] = found
  modules["tf_keras"] = tf.keras


def main(words):
  """Runs a verb in this process, which sees no whole package from now on."""
  if words[:1] == ["nothing"]:
    words = words[1:]
    sys.modules["tensorflow_compression_ops"] = None
  else:
    stand_for(sys.modules)
  sys.modules["tensorflow_compression"] = None
  from tfc_models.cli import main as cli
  sys.argv[1:] = words
  cli.run()


if __name__ == "__main__":
  main(sys.argv[1:])
