"""`tfcm verify`: whether streams are whole and unchanged."""

from tfc_models.cli import streams

add_arguments = streams.add_arguments


def run(arguments):
  return streams.each(
      arguments, lambda data, stream: {"ok": True, "bytes": len(data)},
      lambda name, facts: f"{name}: ok")
