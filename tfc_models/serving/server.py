"""A server: the core, its two front ends, and the order in which they start and end."""

import concurrent.futures
import logging as python_logging
import time

import grpc
from absl import logging
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

from tfc_models.errors import UsageError
from tfc_models.serving import core, grpc_services, rest
from tfc_models.serving.manager import Manager
from tfc_models.serving.metrics import Metrics
from tfc_models.serving.rest_thread import RestThread
from tfc_models.serving.watcher import Watcher

# Threads of gRPC beyond those whose requests the core holds: for status and health.
_SPARE_THREADS = 8
# By their full names: the wheel's model_service_pb2 cannot be imported with the
# protobuf that TensorFlow 2.14 brings.
_SERVICES = (
    "", "tensorflow.serving.PredictionService", "tensorflow.serving.ModelService")


class Server:
  """Serves models until it is stopped.

  Args:
    options: `Options`.
    configs: list of `ModelConfig`.
    load: path to a loaded model, see `SavedModel`.
    batches: whether the core batches where the options say so; else a front end does.

  Attributes:
    port, rest_port: that are listened on, None if not.
  """

  def __init__(self, options, configs, load, batches=True):
    self._options = options
    self._configs = configs
    self.metrics = Metrics(lambda: self.manager.names(), lambda: self.core.gate.inside)
    self.manager = Manager(
        load, any_labels=options.any_labels, on_state=self.metrics.version)
    self.core = core.Core(
        self.manager, self.metrics, max_concurrency=options.max_concurrency,
        max_queued=options.max_queued, max_pixels=options.max_pixels,
        batching_parameters=options.batching_parameters if batches else None)
    self._watcher = Watcher(
        self.manager, options.file_system_poll_wait_seconds,
        options.model_config_file, options.model_config_file_poll_wait_seconds)
    self._health = health.HealthServicer()
    self._grpc = None
    self._rest = None
    self.port = self.rest_port = None

  def start(self):
    """Loads the models, then listens.

    Raises:
      TfcmError: if a folder is not there, a label names what cannot be loaded, or
        an address is taken.
    """
    try:
      for name in self.manager.apply(self._configs):
        logging.warning("%s: no version is available yet", name)
      self._watcher.start()
      self._listen_to_all()
    except BaseException:
      self.stop()
      raise
    for service in _SERVICES:
      self._health.set(service, health_pb2.HealthCheckResponse.SERVING)

  def stop(self):
    """Refuses new requests, finishes those that were accepted, and ends.

    Returns:
      Whether all were finished, within the seconds of the options.
    """
    end = time.monotonic() + self._options.shutdown_grace_seconds
    self._health.enter_graceful_shutdown()
    # Both at once; the second waits.
    stopped = self._grpc.stop(end - time.monotonic()) if self._grpc else None
    if self._rest:
      self._rest.stop()
    if stopped:
      stopped.wait()
    self._watcher.stop()
    done = self.core.close(max(end - time.monotonic(), 0))
    logging.info("%d requests answered", self.core.gate.passed)
    if not done:
      logging.warning("%d requests were not finished", self.core.gate.inside)
    return done

  def _listen_to_all(self):
    """Starts the front ends, and sets their ports."""
    self._start_grpc()
    self._start_rest()

  def _start_grpc(self):
    options = self._options
    threads = self.core.gate.limit + _SPARE_THREADS
    server = grpc.server(
        concurrent.futures.ThreadPoolExecutor(threads, thread_name_prefix="grpc"),
        options=[
            ("grpc.max_receive_message_length", options.max_request_bytes),
            ("grpc.max_send_message_length", -1),
            # Two servers on one port would each get some of the requests.
            ("grpc.so_reuseport", 0),
            *options.grpc_channel_arguments],
        maximum_concurrent_rpcs=threads)
    python_logging.getLogger("grpc._common").addFilter(_is_ours)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        grpc_services.PredictionService(self.core, options.max_request_bytes), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(
        grpc_services.ModelService(self.manager), server)
    health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
    if options.port >= 0:
      self.port = self._listen(server, f"{options.host}:{options.port}", options.tls)
    if options.grpc_socket_path:
      self._listen(server, f"unix:{options.grpc_socket_path}", None)
    server.start()
    self._grpc = server

  def _listen(self, server, address, tls):
    try:
      if tls:
        return server.add_secure_port(address, tls.grpc_credentials())
      return server.add_insecure_port(address)
    except RuntimeError:
      raise UsageError(f"{address}: gRPC cannot listen there; is it in use?") from None

  def _start_rest(self):
    options = self._options
    if options.rest_api_port >= 0:
      api = rest.RestApi(
          self.core, max_bytes=options.max_request_bytes,
          timeout=options.rest_api_timeout_in_ms / 1000,
          metrics_path=options.metrics_path)
      self._rest = RestThread(api, options.shutdown_grace_seconds)
      self.rest_port = self._rest.start(
          options.host, options.rest_api_port,
          options.tls.ssl_context() if options.tls else None)


def _is_ours(record):
  """Returns whether a line of gRPC is for our log.

  Bytes that are no message are for their sender to hear of: anybody could fill the log
  with their tracebacks.
  """
  return "deserializing" not in record.getMessage()
