"""Training: data, model and optimizer to Keras `fit`."""

from tfc_models.training.trainer import DataOptions, TrainOptions, train

__all__ = ["DataOptions", "TrainOptions", "train"]
