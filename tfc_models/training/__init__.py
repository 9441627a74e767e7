"""Training: data, model and optimizer to Keras `fit`."""

from tfc_models.training.trainer import train

__all__ = ["train"]
