"""Images from files: whole ones for coding, crops for training."""

from tfc_models.datasets.crops import crop_dataset
from tfc_models.datasets.files import find_images, image_size, read_image

__all__ = ["crop_dataset", "find_images", "image_size", "read_image"]
