"""Profiles of the container: how chunks of a model lie in a file."""

from tfc_models import bitstream
from tfc_models.bitstream import (
  ITERATION,
  ITERATIONS,
  LATENT,
  TILE,
  Chunk,
  Grid,
)
from tfc_models.errors import BitstreamError, ChecksumError, UsageError


def profile_of(model, header):
  """Returns the profile that a header asks for: `Standard`, `Tiled` or `Thumbnail`."""
  kind = Tiled if "tile" in header.settings else Standard
  return (Thumbnail if header.thumbnail else kind)(model, header)


class Standard:
  """Every chunk with its own checksum.

  Args:
    model: `modeling.base.CompressionModel`.
    header: `bitstream.Header`.
  """

  def __init__(self, model, header):
    self.model = model
    self.header = header

  def check(self, options):
    """Raises UsageError unless a file can be made of `FileOptions`."""
    for name in options.metadata or {}:
      if name not in bitstream.METADATA_NAMES:
        raise UsageError(
            f"metadata must be some of {', '.join(bitstream.METADATA_NAMES)}, "
            f"got {name}")

  def pack(self, chunks, options):
    """Returns the bytes of a file of a model's chunks, and what options carry."""
    return bitstream.write(self.header, chunks, options.metadata, options.planes)

  def unpack(self, stream):
    """Returns the chunks of a model in a `bitstream.Stream`.

    Raises:
      BitstreamError: if they are of no model: neither all latents nor all
        iterations, or not numbered 0, 1, ...
    """
    types = {chunk.type for chunk in stream.chunks}
    if types != {LATENT} and not types <= ITERATIONS:
      raise BitstreamError(
          f"the stream holds chunks of types {sorted(types)}, its model reads "
          "latents or iterations")
    if [chunk.index for chunk in stream.chunks] != list(range(len(stream.chunks))):
      raise BitstreamError("chunks are missing, or out of order")
    return stream.chunks


class Tiled(Standard):
  """A chunk for each tile of a picture, all there unless the file was cut."""

  def unpack(self, stream):
    """As of `Standard`.

    Raises:
      BitstreamError: if the model codes no tiles, or these are none of such a picture.
    """
    header, side = self.header, self.header.settings["tile"]
    if "keep" in header.settings:
      raise BitstreamError("the stream is in tiles, of which no mask keeps parts")
    if self.model.tiling is None:
      raise BitstreamError(
          f"the stream is in tiles, {self.model.registered_name} has none")
    try:
      self.model.tiling.check(side)
    except UsageError as error:
      raise BitstreamError(str(error)) from None
    if {chunk.type for chunk in stream.chunks} != {TILE}:
      raise BitstreamError("the stream should be in tiles, and holds something else")
    count = Grid(header.height, header.width, side).count
    found = [chunk.index for chunk in stream.chunks]
    if found != list(range(len(found))) or len(found) > count or (
        stream.complete and len(found) < count):
      raise BitstreamError(
          f"an image of {header.width}x{header.height} has {count} tiles of {side}, the "
          f"stream holds {len(found)}, or in another order")
    return stream.chunks


class Thumbnail(Standard):
  """All iterations of a model one behind the other, each of the same size."""

  def __init__(self, model, header):
    super().__init__(model, header)
    self.size = model.iteration_bytes(header.height, header.width)

  def check(self, options):
    """As of `Standard`."""
    height, width = self.header.height, self.header.width
    if not self.size:
      raise UsageError(f"{self.model.registered_name} makes no thumbnails")
    if max(height, width) > bitstream.THUMBNAIL_SIDE:
      raise UsageError(
          f"an image of {width}x{height} is no thumbnail (sides of at most "
          f"{bitstream.THUMBNAIL_SIDE} pixels)")
    if options.metadata:
      raise UsageError("a thumbnail has no room for metadata")
    if options.planes:
      raise UsageError(f"a thumbnail has no room for {', '.join(options.planes)}")

  def pack(self, chunks, options):
    """As of `Standard`; the coder's strings lack zeros at their end."""
    return super().pack([
        chunk._replace(strings=(chunk.strings[0].ljust(self.size, b"\0"),))
        for chunk in chunks], options)

  def unpack(self, stream):
    """As of `Standard`.

    Raises:
      BitstreamError: if there is no iteration, or something behind the last.
      ChecksumError: if the file was changed, not cut within an iteration.
    """
    ((payload,),) = (chunk.strings for chunk in stream.chunks)
    if not self.size or len(payload) < self.size:
      raise BitstreamError(
          f"a thumbnail of {len(payload)} bytes holds no iteration of its model")
    count, rest = divmod(len(payload), self.size)
    if stream.verified and rest:
      raise BitstreamError(f"{rest} bytes follow the last iteration")
    if not stream.verified and not rest:
      raise ChecksumError("the file was changed (checksum differs)")
    return [
        Chunk(ITERATION, t, (payload[t * self.size:(t + 1) * self.size],))
        for t in range(count)]
