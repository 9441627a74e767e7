"""The same core behind NVIDIA's Triton: its HTTP v2 and gRPC, its dynamic batcher.

Triton knows models without signatures: signature S of model M is Triton's model M.S,
and the default one M itself.
Tensors have the batch as their first axis; a vector of byte strings is (B, 1) there.
"""

import asyncio
import contextlib
import logging as python_logging
import os
import socket
import sysconfig
import time

import numpy as np
import tensorflow as tf

from tfc_models.errors import UsageError
from tfc_models.serving import core
from tfc_models.serving.batching import Parameters
from tfc_models.serving.saved_model import DEFAULT_SIGNATURE
from tfc_models.serving.server import Server
from tfc_models.serving.signatures import dtype_of
from tfc_models.serving.status import ServingError

# An output of each model: a text if a request failed, as the others of its batch are
# answered all the same, which an error of Triton would not allow.
ERROR = "error"
# Of a batch, unless told otherwise; the core decides how many of it run at once.
_MAX_BATCH_SIZE = 8
# Options that Triton has no counterpart of here.
_UNSUPPORTED = ("tls", "grpc_socket_path", "grpc_channel_arguments")


class TritonServer(Server):
  """Serves the latest version of each model by Triton, until it is stopped.

  Signatures without an axis of the batch are left out.

  Args:
    options: `Options`; `batching_parameters` are those of the dynamic batcher, `port`
      and `rest_api_port` Triton's of gRPC and HTTP.
    configs, load: as of `Server`.

  Raises:
    UsageError: if pytriton is missing, or Triton cannot do what is asked for.
  """

  def __init__(self, options, configs, load):
    try:
      import pytriton  # noqa: F401
    except ImportError:
      raise UsageError(
          "pytriton is missing: pip install 'tfc_models[triton]'") from None
    for name in _UNSUPPORTED:
      if getattr(options, name):
        raise UsageError(f"{name} is not offered with Triton")
    self._batching = options.batching_parameters or Parameters(_MAX_BATCH_SIZE)
    super().__init__(options, configs, load, batches=False)
    self._triton = None

  def stop(self):
    if self._triton:
      # What is under way is waited for there, too.
      self._triton.stop()
      self._triton = None
    return super().stop()

  def _listen_to_all(self):
    from pytriton.triton import Triton, TritonConfig
    python_logging.getLogger("pytriton").setLevel(python_logging.ERROR)
    options = self._options
    port, rest_port = (
        _free_port(options.host, port)
        for port in (options.port, options.rest_api_port))
    triton = Triton(config=TritonConfig(
        allow_grpc=port is not None, grpc_port=port, grpc_address=options.host,
        allow_http=True, http_port=rest_port or _free_port("127.0.0.1", 0),
        # Its own checks of whether it lives need HTTP.
        http_address="127.0.0.1" if rest_port is None else options.host,
        allow_metrics=False,
        exit_timeout_secs=max(int(options.shutdown_grace_seconds), 1)))
    self._triton = triton
    for name in self.manager.names():
      self._bind(triton, name)
    with _library_path():
      triton.run()
    self.port, self.rest_port = port, rest_port

  def _bind(self, triton, name):
    from pytriton.exceptions import PyTritonValidationError
    from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
    with self.manager.acquire(name) as handle:
      signatures = handle.model.signatures
    config = ModelConfig(
        max_batch_size=self._batching.max_batch_size,
        batcher=DynamicBatcher(
            max_queue_delay_microseconds=self._batching.batch_timeout_micros))
    for signature, definition in signatures.items():
      sides = [_tensors(side) for side in (definition.inputs, definition.outputs)]
      if not all(sides):
        continue
      inputs, outputs = (
          [Tensor(name=key, dtype=dtype, shape=shape)
           for key, (dtype, shape) in side.items()] for side in sides)
      full_name = (
          name if signature == DEFAULT_SIGNATURE else f"{name}.{signature}")
      try:
        triton.bind(
            full_name, self._answering(name, signature, sides[1]), inputs,
            [*outputs, Tensor(name=ERROR, dtype=bytes, shape=(1,))], config=config)
      except PyTritonValidationError as error:
        raise UsageError(f"{full_name}: {error}") from None

  def _answering(self, name, signature, outputs):
    """Returns what Triton calls with the requests of a batch."""
    timeout = self._options.rest_api_timeout_in_ms / 1000

    async def answer(requests):
      futures = []
      for request in requests:
        futures.append(asyncio.wrap_future(self.core.predict(
            Request(name, signature, request.data), "TRITON",
            time.monotonic() + timeout)))
      answers = await asyncio.gather(*futures, return_exceptions=True)
      return [
          _refusal(answer, request.data, outputs)
          if isinstance(answer, Exception) else answer
          for request, answer in zip(requests, answers)]

    return answer


class Request(core.Request):
  """A request of Triton's, answered by a dict of arrays.

  Args:
    name: of the model.
    signature: its name.
    arrays: dict from name to array as Triton has it.
  """

  def __init__(self, name, signature, arrays):
    self.name = name
    self._signature = signature
    self._arrays = arrays

  def signature_name(self):
    return self._signature

  def inputs(self, signature):
    return {
        name: array[:, 0] if signature.inputs[name].tensor_shape.dim[1:] == []
        else array for name, array in self._arrays.items()}

  def answer(self, version, outputs):
    del version
    rows = len(next(iter(outputs.values())))
    return {**{name: array.reshape(rows, -1) if array.ndim == 1 else array
               for name, array in outputs.items()}, ERROR: _texts(rows, "")}


def _refusal(error, arrays, outputs):
  """Returns the answer to a request that failed."""
  if not isinstance(error, ServingError):
    raise error  # Nobody's request, as when the server is told to end.
  rows = len(next(iter(arrays.values())))
  empty = {
      name: _texts(rows, "") if dtype is bytes
      else np.zeros([rows, *(max(size, 0) for size in shape)], dtype)
      for name, (dtype, shape) in outputs.items()}
  return {**empty, ERROR: _texts(rows, f"{error.code}: {error}")}


def _texts(rows, text):
  return np.full((rows, 1), text.encode(), object)


def _tensors(infos):
  """Returns a dict from name to Triton's dtype and shape; {} if one has no batch."""
  found = {}
  for name, info in infos.items():
    shape = tf.TensorShape(info.tensor_shape)
    if not shape.rank or shape[0] is not None:
      return {}
    dtype = dtype_of(info)
    found[name] = (
        bytes if dtype == tf.string else dtype.as_numpy_dtype,
        tuple(-1 if size is None else size for size in shape[1:]) or (1,))
  return found


def _free_port(host, port):
  """Returns a port: any free one for 0, None for a negative one."""
  if port:
    return port if port > 0 else None
  with socket.socket() as free:
    free.bind((host, 0))
    return free.getsockname()[1]


@contextlib.contextmanager
def _library_path():
  """Lets programs that are started within find the library of this Python.

  Triton brings one of another patch level, which the modules of this one may not suit.
  """
  before = os.environ.get("LD_LIBRARY_PATH")
  folder = sysconfig.get_config_var("LIBDIR")
  os.environ["LD_LIBRARY_PATH"] = f"{folder}:{before}" if before else folder
  try:
    yield
  finally:
    if before is None:
      del os.environ["LD_LIBRARY_PATH"]
    else:
      os.environ["LD_LIBRARY_PATH"] = before
