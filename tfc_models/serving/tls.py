"""Keys and certificates for both front ends."""

import dataclasses
import os
import ssl
import tempfile

import grpc

from tfc_models.errors import UsageError
from tfc_models.fileio import read_bytes
from tfc_models.serving import protos


@dataclasses.dataclass(frozen=True)
class Tls:
  """In PEM, as bytes.

  Attributes:
    key: private key of the server.
    certificate: of the server, with what leads to its authority.
    authority: certificate that those of clients must come from, or b"".
    client_verify: whether clients must have one.
  """

  key: bytes = dataclasses.field(repr=False)
  certificate: bytes
  authority: bytes = b""
  client_verify: bool = False

  def __post_init__(self):
    if not self.key or not self.certificate:
      raise UsageError("TLS needs a key and a certificate, in PEM")
    if self.client_verify and not self.authority:
      raise UsageError("TLS: client_verify needs a custom_ca")

  def grpc_credentials(self):
    """Returns them for a server of gRPC."""
    return grpc.ssl_server_credentials(
        [(self.key, self.certificate)], self.authority or None, self.client_verify)

  def ssl_context(self):
    """Returns them for a server of HTTP.

    Raises:
      UsageError: if they are not what they should be.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
      # Python reads them from a file only; for its owner's eyes.
      with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "both.pem")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
          file.write(self.key + b"\n" + self.certificate)
        context.load_cert_chain(path)
      if self.authority:
        context.load_verify_locations(cadata=self.authority.decode())
    except (ssl.SSLError, ValueError) as error:
      raise UsageError(f"TLS: not a key and its certificate in PEM ({error})") from None
    if self.client_verify:
      context.verify_mode = ssl.CERT_REQUIRED
    return context


def read(path):
  """Returns the `Tls` of a file of TensorFlow Serving's `SSLConfig`, in text format.

  Raises:
    UsageError: if it cannot be read or lacks something.
  """
  proto = protos.read_text(path, "SSLConfig")
  try:
    return Tls(proto.server_key.encode(), proto.server_cert.encode(),
               proto.custom_ca.encode(), proto.client_verify)
  except UsageError as error:
    raise UsageError(f"{path}: {error}") from None


def read_pair(key_path, certificate_path):
  """Returns the `Tls` of two files in PEM."""
  return Tls(read_bytes(key_path), read_bytes(certificate_path))
