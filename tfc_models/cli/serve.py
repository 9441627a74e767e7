"""`tfcm serve`: a model server with TensorFlow Serving's API and flags."""

import argparse
import contextlib
import functools
import os
import signal
import threading

from absl import logging

from tfc_models.cli import console
from tfc_models.errors import UsageError


def add_arguments(parser):
  models = parser.add_argument_group("models")
  _add(models, "--model_base_path", metavar="DIR",
       help="folder of the versions of the one model, DIR/1, DIR/2, ...")
  _add(models, "--model_name", default="default", help="what it is called")
  _add(models, "--model_config_file", metavar="FILE",
       help="model_config_list of several models, in text format")
  _add(models, "--model_config_file_poll_wait_seconds", type=float, default=0,
       metavar="S", help="between looks at it (default 0: it is read once)")
  _add(models, "--file_system_poll_wait_seconds", type=float, default=1,
       metavar="S", help="between looks for versions (default 1; 0: at first only)")
  _flag(models, "--allow_version_labels_for_unavailable_models", False,
        "labels may name versions that are not loaded")
  _flag(models, "--enable_model_warmup", True,
        "replay the requests that a model brings before it serves")
  _add(models, "--saved_model_tags", default="serve", help="of the graph, a,b")

  ends = parser.add_argument_group("addresses")
  _add(ends, "--engine", choices=("tfcm", "triton"), default="tfcm",
       help="who listens: this server with TensorFlow Serving's API, or NVIDIA's "
       "Triton, with signature S of model M as model M.S (default tfcm)")
  _add(ends, "--host", default="127.0.0.1",
       help="to listen on (default 127.0.0.1; 0.0.0.0: everywhere)")
  _add(ends, "--port", type=int, default=8500,
       help="of gRPC (default 8500; 0: any; -1: none)")
  _add(ends, "--rest_api_port", type=int, default=8501,
       help="of REST (default 8501; 0: any; -1: none)")
  _add(ends, "--grpc_socket_path", metavar="PATH", help="of a unix socket, too")
  _add(ends, "--ssl_config_file", metavar="FILE",
       help="SSLConfig with keys in PEM, in text format")
  _add(ends, "--tls_key", metavar="PEM", help="key of the server, instead")
  _add(ends, "--tls_cert", metavar="PEM", help="its certificate")
  _add(ends, "--grpc_channel_arguments", default="", metavar="K=V,...",
       help="of gRPC, as grpc.max_send_message_length=4194304")
  _add(ends, "--monitoring_config_file", metavar="FILE",
       help="where Prometheus finds metrics "
       "(default: at /monitoring/prometheus/metrics)")

  work = parser.add_argument_group("work and limits")
  _flag(work, "--enable_batching", False, "run requests of equal sizes together")
  _add(work, "--batching_parameters_file", metavar="FILE",
       help="max_batch_size { value: 8 } and so on")
  _add(work, "--max_concurrency", type=int, default=os.cpu_count() or 1, metavar="N",
       help="requests worked on at once (default: as many as processors)")
  _add(work, "--max_queued", type=int, default=64, metavar="N",
       help="requests that wait, more are refused (default 64)")
  _add(work, "--max_request_bytes", type=int, default=2**26, metavar="N",
       help="of a request (default 67108864)")
  _add(work, "--max_pixels", type=int, default=2**25, metavar="N",
       help="that the images of a request may claim (default 33554432)")
  _add(work, "--rest_api_timeout_in_ms", type=int, default=30_000, metavar="MS",
       help="for a REST request (default 30000)")
  _add(work, "--shutdown_grace_seconds", type=float, default=30, metavar="S",
       help="for requests under way when the server is told to end (default 30)")
  _add(work, "--tensorflow_intra_op_parallelism", type=int, default=0, metavar="N",
       help="threads within an operation (default 0: TensorFlow decides)")
  _add(work, "--tensorflow_inter_op_parallelism", type=int, default=0, metavar="N",
       help="operations at once, likewise")


def _add(group, name, **options):
  group.add_argument(name, **options)


def _flag(group, name, default, text):
  """Adds a flag that takes `--name`, `--name=true` and `--name=false`."""
  group.add_argument(
      name, nargs="?", const=True, default=default, type=_boolean, metavar="BOOL",
      help=f"{text} (default {str(default).lower()})")


def _boolean(text):
  values = {"true": True, "1": True, "false": False, "0": False}
  if text.lower() not in values:
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
  return values[text.lower()]


def run(arguments):
  _require_extras()
  logging.set_verbosity(logging.INFO)  # Versions that come and go.
  from tfc_models import serving
  configs = _configs(arguments)
  load = functools.partial(
      serving.SavedModel, tags=arguments.saved_model_tags.split(","),
      intra_op_threads=arguments.tensorflow_intra_op_parallelism,
      inter_op_threads=arguments.tensorflow_inter_op_parallelism,
      use_warmup=arguments.enable_model_warmup)
  engine = serving.TritonServer if arguments.engine == "triton" else serving.Server
  server = engine(_options(arguments), configs, load)
  with _signals() as stop:
    server.start()
    print(f"gRPC: {_address(arguments.host, server.port)}  "
          f"REST: {_address(arguments.host, server.rest_port)}", flush=True)
    stop.wait()
    return 0 if server.stop() else 1


def _address(host, port):
  return "none" if port is None else f"{host}:{port}"


@contextlib.contextmanager
def _signals():
  """Yields an event that a signal sets; a second signal ends the process."""
  stop = threading.Event()

  def tell(number, frame):
    del frame
    if stop.is_set():
      console.leave(128 + number)
    stop.set()

  before = {number: signal.signal(number, tell)
            for number in (signal.SIGTERM, signal.SIGINT)}
  try:
    yield stop
  finally:
    for number, handler in before.items():
      signal.signal(number, handler)


def _configs(arguments):
  from tfc_models.serving import ModelConfig, model_config
  if bool(arguments.model_base_path) == bool(arguments.model_config_file):
    raise UsageError("serve: name one of --model_base_path and --model_config_file")
  if arguments.model_config_file:
    return model_config.read(arguments.model_config_file)
  return [ModelConfig(
      arguments.model_name, os.path.abspath(arguments.model_base_path))]


def _options(arguments):
  from tfc_models.serving import Options
  same = {name: getattr(arguments, name) for name in (
      "host", "port", "rest_api_port", "grpc_socket_path", "max_concurrency",
      "max_queued", "max_request_bytes", "max_pixels", "rest_api_timeout_in_ms",
      "shutdown_grace_seconds", "file_system_poll_wait_seconds",
      "model_config_file", "model_config_file_poll_wait_seconds")}
  return Options(
      **same, tls=_tls(arguments),
      any_labels=arguments.allow_version_labels_for_unavailable_models,
      grpc_channel_arguments=_channel_arguments(arguments.grpc_channel_arguments),
      batching_parameters=_batching(arguments), **_metrics(arguments))


def _tls(arguments):
  from tfc_models.serving import tls
  if arguments.ssl_config_file:
    return tls.read(arguments.ssl_config_file)
  if bool(arguments.tls_key) != bool(arguments.tls_cert):
    raise UsageError("serve: --tls_key and --tls_cert go together")
  if arguments.tls_key:
    return tls.read_pair(arguments.tls_key, arguments.tls_cert)
  return None


def _batching(arguments):
  from tfc_models.serving import batching
  if not arguments.enable_batching:
    if arguments.batching_parameters_file:
      raise UsageError("serve: --batching_parameters_file wants --enable_batching")
    return None
  if arguments.batching_parameters_file:
    return batching.read(arguments.batching_parameters_file)
  return batching.Parameters()


def _metrics(arguments):
  if not arguments.monitoring_config_file:
    return {}
  from tfc_models.serving import metrics, protos
  config = protos.read_text(
      arguments.monitoring_config_file, "MonitoringConfig").prometheus_config
  return {"metrics_path": (config.path or metrics.PATH) if config.enable else ""}


def _channel_arguments(text):
  pairs = [pair.partition("=") for pair in text.split(",") if pair]
  if any(not equals for _, equals, _ in pairs):
    raise UsageError(
        f"--grpc_channel_arguments: {text!r}, wanted name=value,name=value")
  return tuple((name, int(value) if value.lstrip("-").isdigit() else value)
               for name, _, value in pairs)


def _require_extras():
  """Raises UsageError unless what the server needs is installed."""
  try:
    import aiohttp  # noqa: F401
    import grpc_health  # noqa: F401
    import prometheus_client  # noqa: F401
    import tensorflow_serving  # noqa: F401
  except ImportError as error:
    raise UsageError(
        f"{error.name} is missing: pip install 'tfc_models[serve]'") from None
