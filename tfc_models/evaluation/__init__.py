"""Evaluation: codecs and images to records, curves, tables and plots.

Names are imported on first use, since only metrics need TensorFlow.
"""

from tfc_models import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, {
    "Record": "tfc_models.evaluation.record",
    "at_equal_bytes": "tfc_models.evaluation.record",
    "evaluate": "tfc_models.evaluation.sweep",
    "measure": "tfc_models.evaluation.record",
})
