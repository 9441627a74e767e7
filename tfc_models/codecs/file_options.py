"""What a file shall meet, and the file that does."""

import dataclasses
from typing import NamedTuple, Optional

from tfc_models.bitstream import Header


@dataclasses.dataclass(frozen=True)
class FileOptions:
  """What the file of a learned codec shall meet, whatever its model varies.

  Attributes:
    target_bytes: of progressive models, the last iteration with which the file has
      no more bytes is the last one.
    target_psnr: likewise, the first with which the image has as many dB.
    thumbnail: write a file of the thumbnail profile, see `bitstream/FORMAT.md`; of
      progressive models whose iterations have a fixed size.
    metadata: dict of bytes by name, some of `bitstream.METADATA_NAMES`, which the
      file carries; None for none.
  """

  target_bytes: Optional[int] = None
  target_psnr: Optional[float] = None
  thumbnail: bool = False
  metadata: Optional[dict] = None


class File(NamedTuple):
  """What an encoder wrote.

  Attributes:
    data: bytes of the file.
    header: `bitstream.Header`.
    chunks: list of `bitstream.Chunk`, the picture.
  """

  data: bytes
  header: Header
  chunks: list
