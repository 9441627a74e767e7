"""`tfcm info`: what a stream holds."""

from tfc_models import bitstream
from tfc_models.cli import streams
from tfc_models.pretrained import loader

add_arguments = streams.add_arguments


def run(arguments):
  def facts_of(data, stream):
    header = stream.header
    weights = loader.shipped_entry(header.fingerprint)
    return {
        "model": header.model or (weights and weights["name"]),
        "fingerprint": header.fingerprint.hex(),
        "weights": weights and weights["file"],
        "height": header.height,
        "width": header.width,
        "channels": header.channels,
        "bit_depth": header.bit_depth,
        "settings": {
            name: value.hex() if isinstance(value, bytes) else value
            for name, value in header.settings.items()},
        "synthesised": "synthesised" in header.settings,
        "kept": _kept(header),
        "pixels": stream.pixels is not None,
        "profile": "thumbnail" if header.thumbnail else "standard",
        "format_version": header.version,
        "bytes": len(data),
        "bpp": round(8 * len(data) / (
            header.height * header.width * header.settings.get("frames", 1)), 4),
        "overhead_bytes": bitstream.overhead(data, stream),
        "chunks": [
            {"type": chunk.type, "index": chunk.index,
             "string_bytes": [len(string) for string in chunk.strings]}
            for chunk in stream.chunks],
        "metadata": {
            name: len(value) for name, value in stream.metadata.items()},
        "sample_bits": stream.sample_bits,
        "planes": {
            name: sum(map(len, strings)) for name, strings in stream.planes.items()},
    }

  return streams.each(arguments, facts_of, _describe)


def _kept(header):
  """Returns the share of the sites of a picture that is coded, or None for all."""
  if "keep" not in header.settings:
    return None
  from tfc_models.bitstream import mask
  sites, _ = mask.read(header.settings["keep"], header.height, header.width)
  return round(float(sites.mean()), 4)


def _describe(name, facts):
  colour = {1: "grey", 3: "RGB"}[facts["channels"]]
  settings = " ".join(
      f"{k}={v}" for k, v in facts["settings"].items() if k not in ("keep", "synthesised"))
  weights = facts["weights"] or (
      "none needed" if facts["pixels"] else "not shipped, found by --model_path")
  lines = [
      f"{name}: {facts['width']}x{facts['height']} {colour}, "
      f"{facts['sample_bits'] or facts['bit_depth']} bits, {facts['bytes']} bytes, "
      f"{facts['bpp']:.3f} bpp",
      f"  model {facts['model'] or 'not named'}, {settings or 'no settings'}, "
      f"container version {facts['format_version']}"
      f"{', thumbnail' if facts['profile'] == 'thumbnail' else ''}",
      f"  weights {facts['fingerprint']}: {weights}"]
  if facts["synthesised"]:
    lines.append("  synthesised: decoders make up details, which are no evidence")
  if facts["kept"] is not None:
    lines.append(f"  kept {facts['kept']:.1%}, the rest is filled in")
  for chunk in facts["chunks"]:
    strings = " + ".join(str(n) for n in chunk["string_bytes"])
    lines.append(
        f"  chunk type {chunk['type']} index {chunk['index']}: "
        f"{strings} bytes")
  lines += [f"  {name}: {size} bytes"
            for name, size in (facts["planes"] | facts["metadata"]).items()]
  return "\n".join(lines)
