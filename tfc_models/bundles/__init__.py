"""Training bundles: a training step that runs where TensorFlow 2.14 does not.

`export` writes the compiled step, its variables and images into a folder;
`run_bundle.py` in it trains with jax alone; `take_over` brings the result back.
"""

from tfc_models.bundles.export import export
from tfc_models.bundles.results import take_over

__all__ = ["export", "take_over"]
