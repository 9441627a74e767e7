"""What a client knows of a model at a server, and the requests for one image."""

import json
import time
from typing import Any, NamedTuple, Optional

from tfc_models.errors import UsageError
from tfc_models.serving import retrying

_FLAVORS = ("full", "split")


class Call:
  """The requests for one image, which share a deadline.

  Args:
    channel: see `channels.connect`.
    timeout: seconds for all of them, with all attempts.
    retries: attempts of each after the first.
  """

  def __init__(self, channel, timeout, retries):
    self._channel = channel
    self._deadline = time.monotonic() + timeout
    self._retries = retries

  def predict(self, signature, inputs, sole, version=None):
    """As of `GrpcChannel`, without its deadline."""
    return retrying.call(
        lambda: self._channel.predict(
            signature, inputs, sole, self._deadline, version),
        self._deadline, self._retries)


class Served(NamedTuple):
  """A version of a model.

  Attributes:
    info: dict, what the export says of itself.
    version: its number; None if the server does not tell.
    codec: `RemoteCodec` of the split flavour, else None.
  """

  info: dict
  version: Optional[int]
  codec: Any

  @classmethod
  def of(cls, call):
    """Returns what is served now.

    Raises:
      ServingError: if the server does not say.
      UsageError: if it is no export of ours.
    """
    outputs, version = call.predict("codec", {"request": [b""]}, "info_bytes")
    try:
      info = json.loads(sole(outputs, "info_bytes"))
      flavor = info["flavor"]
      bytes.fromhex(info["fingerprint"])
    except (ValueError, KeyError, TypeError):
      flavor = None
    if flavor not in _FLAVORS:
      raise UsageError(
          f"the model is no export of the flavors {' and '.join(_FLAVORS)}")
    codec = None
    if flavor == "split":
      # Only now: this loads TensorFlow.
      from tfc_models.serving.remote_codec import RemoteCodec
      codec = RemoteCodec(info, sole(outputs, "tables_bytes"))
    return cls(info, version or None, codec)


def sole(outputs, name):
  """Returns the bytes of the output `name` for a request of one.

  Raises:
    UsageError: if there are none.
  """
  value = outputs.get(name)
  if not isinstance(value, list) or not isinstance(value[0], bytes):
    raise UsageError(f"the server's answer lacks {name}")
  return value[0]
