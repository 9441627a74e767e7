"""Where a model is served, as a URL says it."""

import re
import urllib.parse
from typing import NamedTuple, Optional

from tfc_models.errors import UsageError

# Scheme to the default port, those of TensorFlow Serving.
_PORTS = {"grpc": 8500, "grpcs": 8500, "http": 8501, "https": 443}
_PATH = re.compile(
    r"(?:/v1/models)?/([^/:]+)(?:/versions/(\d{1,18})|/labels/([^/:]+))?/?")
_WANTED = (
    "wanted grpc://HOST:PORT/MODEL, http://HOST:PORT/MODEL, or grpcs and https "
    "for TLS; /versions/N may follow")


class Address(NamedTuple):
  """A model at a server.

  Attributes:
    scheme: grpc, grpcs, http or https.
    host, port: of the server.
    model: name of the model.
    version: its number; None: the latest.
    label: that stands for a number, or None.
  """

  scheme: str
  host: str
  port: int
  model: str
  version: Optional[int] = None
  label: Optional[str] = None

  @property
  def is_secure(self):
    """Whether TLS is spoken."""
    return self.scheme in ("grpcs", "https")

  @property
  def netloc(self):
    """Host and port as one text."""
    return f"[{self.host}]:{self.port}" if ":" in self.host else (
        f"{self.host}:{self.port}")

  def __str__(self):
    return f"{self.scheme}://{self.netloc}/{self.model}"


def read(url, model=None):
  """Returns the `Address` of a URL.

  Args:
    url: SCHEME://HOST[:PORT][/MODEL[/versions/N | /labels/LABEL]]; /v1/models may
      stand in front of MODEL.
    model: name that counts where the URL has none; None: "default", what servers
      call a model unless told otherwise.

  Raises:
    UsageError: if it is none.
  """
  try:
    parts = urllib.parse.urlsplit(url)
    host, port = parts.hostname, parts.port
  except ValueError:  # Of the port.
    host = port = parts = None
  if not host or parts.scheme not in _PORTS or (
      parts.query or parts.fragment or parts.username):
    raise UsageError(f"server {url!r}: {_WANTED}")
  name, version, label = model or "default", None, None
  if parts.path not in ("", "/"):
    match = _PATH.fullmatch(parts.path)
    if not match:
      raise UsageError(f"server {url!r}: {_WANTED}")
    name, version, label = match.groups()
  return Address(
      parts.scheme, host, _PORTS[parts.scheme] if port is None else port,
      urllib.parse.unquote(name), None if version is None else int(version), label)
