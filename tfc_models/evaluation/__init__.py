"""Evaluation: codecs and images to records, curves, tables and plots.

Names are imported on first use, since only metrics need TensorFlow.
"""

from tfc_models import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, {
    "Record": "tfc_models.evaluation.runner",
    "at_equal_bytes": "tfc_models.evaluation.runner",
    "evaluate": "tfc_models.evaluation.sweep",
    "measure": "tfc_models.evaluation.runner",
})
