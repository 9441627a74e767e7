"""Trained weights to files that servers and other runtimes load.

Names are imported on first use, since `versions` needs no TensorFlow.
"""

from tfc_models import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, {
    "FLAVORS": "tfc_models.export.flavors",
    "export": "tfc_models.export.flavors",
})
