"""Codecs: an image to the bytes of a file and back, whatever is inside.

Names are imported on first use, since only learned codecs need TensorFlow.
"""

from tfc_models import lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, {
    "Codec": "tfc_models.codecs.base",
    "EditedCodec": "tfc_models.codecs.edited",
    "Family": "tfc_models.codecs.base",
    "File": "tfc_models.codecs.file_options",
    "FileOptions": "tfc_models.codecs.file_options",
    "LearnedCodec": "tfc_models.codecs.learned",
    "PillowCodec": "tfc_models.codecs.classical",
    "StreamDecoder": "tfc_models.codecs.stream_decoder",
    "VideoCodec": "tfc_models.codecs.video",
    "check_image": "tfc_models.codecs.base",
    "extension_of": "tfc_models.codecs.loading",
    "kind_of": "tfc_models.codecs.loading",
    "load": "tfc_models.codecs.loading",
    "open_weights": "tfc_models.codecs.loading",
    "shared_decoder": "tfc_models.codecs.stream_decoder",
})
