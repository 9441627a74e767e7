"""What a file shall meet, and the file that does."""

import dataclasses
from typing import NamedTuple, Optional

from tfc_models.bitstream import Header

TARGETS = ("target_bytes", "target_bpp", "target_psnr", "target_ms_ssim")


@dataclasses.dataclass(frozen=True)
class FileOptions:
  """What the file of a learned codec shall meet, whatever its model varies.

  Attributes:
    target_bytes: of progressive models, the last iteration with which the file has
      no more bytes is the last one; of others of variable rate, the highest quality
      with which it has no more is taken.
    target_bpp: the same, in bits per pixel.
    target_psnr: the first iteration, or lowest quality, with which the image has as
      many dB.
    target_ms_ssim: likewise, with which it has that MS-SSIM.
    thumbnail: write a file of the thumbnail profile, see `bitstream/FORMAT.md`; of
      progressive models whose iterations have a fixed size.
    tile: pixels a side of tiles, which are coded on their own; 0 codes pictures in
      one, None leaves it to their size, see `tiles`.
    metadata: dict of bytes by name, some of `bitstream.METADATA_NAMES`, which the
      file carries; None for none.
    alpha_quality: 1..100, of transparency: 100 keeps it as it is, less keeps fewer
      levels, see `planes.quantised`.
    planes: dict of coded planes by name, some of `bitstream.PLANES`, for the file of
      an image that has none itself; None for none.
  """

  target_bytes: Optional[int] = None
  target_bpp: Optional[float] = None
  target_psnr: Optional[float] = None
  target_ms_ssim: Optional[float] = None
  thumbnail: bool = False
  tile: Optional[int] = None
  metadata: Optional[dict] = None
  alpha_quality: int = 100
  planes: Optional[dict] = None

  @property
  def has_target(self):
    """Whether the file shall meet one."""
    return any(vars(self)[name] is not None for name in TARGETS)

  @property
  def note(self):
    """What an error of a size says of all that counts beside the picture; or nothing."""
    sizes = {
        "metadata": sum(map(len, (self.metadata or {}).values())),
        **{name: sum(map(len, strings))
           for name, strings in (self.planes or {}).items()}}
    found = ", ".join(f"{size} of {name}" for name, size in sizes.items() if size)
    return f" (with {found})" if found else ""

  def in_bytes(self, height, width):
    """Returns the same of an image, without `target_bpp`."""
    if self.target_bpp is None:
      return self
    budget = int(self.target_bpp * height * width / 8.0)
    return dataclasses.replace(
        self, target_bpp=None, target_bytes=min(
            budget, budget if self.target_bytes is None else self.target_bytes))

  def without_targets(self):
    """Returns the same without what says how good or large a file is."""
    return dataclasses.replace(self, **dict.fromkeys(TARGETS))


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
