"""All that a server can be told."""

import dataclasses
import os
from typing import Optional

from tfc_models.errors import UsageError
from tfc_models.serving.metrics import PATH
from tfc_models.serving.tls import Tls

_LEAST = {
    "rest_api_timeout_in_ms": 1,
    "max_request_bytes": 1,
    "max_pixels": 1,
    "max_concurrency": 1,
    "max_queued": 0,
    "file_system_poll_wait_seconds": 0,
    "model_config_file_poll_wait_seconds": 0,
    "shutdown_grace_seconds": 0,
}


@dataclasses.dataclass(frozen=True)
class Options:
  """Of one server; the names are those of TensorFlow Serving where it has them.

  Attributes:
    host: address to listen on.
    port: of gRPC; 0: any free one; negative: none.
    rest_api_port: of REST, likewise.
    grpc_socket_path: of a unix socket for gRPC, too, or None.
    tls: keys and certificates for both, or None: no encryption.
    rest_api_timeout_in_ms: a REST request may take, with its body.
    grpc_channel_arguments: list of (name, value), as of gRPC.
    max_request_bytes: of one request.
    max_pixels: of the images of one request.
    max_concurrency: requests that are worked on at once.
    max_queued: requests that wait; more are refused.
    batching_parameters: `batching.Parameters`, or None.
    file_system_poll_wait_seconds: between looks for versions; 0: only at first.
    model_config_file: that is read again, or None.
    model_config_file_poll_wait_seconds: between looks at it; 0: only at first.
    any_labels: whether labels may name versions that are not available.
    metrics_path: where Prometheus finds metrics; "": nowhere.
    shutdown_grace_seconds: that requests under way have at the end.
  """

  host: str = "127.0.0.1"
  port: int = 8500
  rest_api_port: int = 8501
  grpc_socket_path: Optional[str] = None
  tls: Optional[Tls] = None
  rest_api_timeout_in_ms: int = 30_000
  grpc_channel_arguments: tuple = ()
  max_request_bytes: int = 2**26
  max_pixels: int = 2**25
  max_concurrency: int = os.cpu_count() or 1
  max_queued: int = 64
  batching_parameters: Optional[object] = None
  file_system_poll_wait_seconds: float = 1
  model_config_file: Optional[str] = None
  model_config_file_poll_wait_seconds: float = 0
  any_labels: bool = False
  metrics_path: str = PATH
  shutdown_grace_seconds: float = 30

  def __post_init__(self):
    for name, least in _LEAST.items():
      if not getattr(self, name) >= least:
        raise UsageError(f"{name} is {getattr(self, name)}, wanted {least} or more")
    if max(self.port, self.rest_api_port) < 0 and not self.grpc_socket_path:
      raise UsageError("no port and no socket: nobody could ask anything")
