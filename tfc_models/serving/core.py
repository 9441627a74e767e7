"""A request to its answer: what both front ends, and every engine, have in common."""

import abc
import concurrent.futures
import functools
import time

from tfc_models.serving import batching, limits, signatures
from tfc_models.serving.status import deadline_exceeded, from_exception


class Request(abc.ABC):
  """What a front end makes of a request.

  Its methods run in the threads of the core.

  Attributes:
    name: of the model.
    version: its number, or None.
    label: of a version, or None.
    output_filter: names of the outputs that are wanted; (): all.
  """

  name = ""
  version = None
  label = None
  output_filter = ()

  @abc.abstractmethod
  def signature_name(self):
    """Returns the name of the signature, "" for the default one."""

  @abc.abstractmethod
  def inputs(self, signature):
    """Returns a dict from name to array, for a `SignatureDef`."""

  @abc.abstractmethod
  def answer(self, version, outputs):
    """Returns the answer, of the number of a version and a dict of arrays."""


class Core:
  """Predicts, within limits.

  Args:
    manager: `Manager`.
    metrics: `Metrics`.
    max_concurrency: requests that are worked on at once.
    max_queued: that wait for it; more are refused.
    max_pixels: of the images of one request together.
    batching_parameters: `batching.Parameters`, or None: no batching.
  """

  def __init__(self, manager, metrics, *, max_concurrency, max_queued, max_pixels,
               batching_parameters=None):
    self.manager = manager
    self.metrics = metrics
    self.gate = limits.Gate(max_concurrency + max_queued)
    self._max_pixels = max_pixels
    self._pool = concurrent.futures.ThreadPoolExecutor(
        max_concurrency, thread_name_prefix="predict")
    self._batcher = (
        batching.Batcher(batching_parameters) if batching_parameters else None)

  def predict(self, request, entrypoint, deadline=None):
    """Returns a future of the request's `answer`, or of a `ServingError`.

    Cancelling it drops the request, unless it is being worked on.

    Args:
      request: `Request`.
      entrypoint: GRPC or REST.
      deadline: of `time.monotonic()`, when the request is given up, or None.
    """
    job = _Job(self, request, entrypoint, deadline)
    try:
      self.gate.enter()
    except Exception as error:
      job.refuse(error)
    else:
      self._pool.submit(job.begin)
    return job.future

  def close(self, seconds):
    """Waits for what is under way, then unloads all models.

    Args:
      seconds: to wait. What is not done then is left to its threads, and the
        models with it.

    Returns:
      Whether all was done.
    """
    done = self.gate.wait_until_empty(seconds)
    self._pool.shutdown(wait=done, cancel_futures=True)
    if done:
      if self._batcher:
        self._batcher.close()
      self.manager.close()
    return done

  def _run(self, job, signature, run):
    """Has the inputs of a job run, alone or in a batch; `job.end` gets the result."""
    rows = batching.rows_of(job.inputs) if (
        self._batcher and signatures.takes_batches(signature)) else 0
    if not rows:
      job.end(run(job.inputs, job.deadline))
      return
    key = (id(job.handle.model), job.request.signature_name(),
           tuple(job.request.output_filter),
           tuple(sorted((name, array.shape[1:]) for name, array in job.inputs.items())))
    self._batcher.submit(batching.Task(
        key, job.inputs, rows, run, job.end, job.deadline))


class _Job:
  """A request on its way through the core."""

  def __init__(self, core, request, entrypoint, deadline):
    self.core = core
    self.request = request
    self.entrypoint = entrypoint
    self.deadline = deadline
    self.started = time.monotonic()
    self.future = concurrent.futures.Future()
    self.handle = None
    self.inputs = None

  def refuse(self, error):
    """Answers with an error; nothing is held."""
    self.future.set_running_or_notify_cancel()
    self._tell(from_exception(error))

  def begin(self):
    """Works on the request, in a thread of the pool."""
    if not self.future.set_running_or_notify_cancel():
      self.core.gate.leave()
      self._count("CANCELLED")
      return
    try:
      if self.deadline is not None and time.monotonic() > self.deadline:
        raise deadline_exceeded()
      request = self.request
      self.handle = self.core.manager.acquire(
          request.name, request.version, request.label)
      signature = self.handle.model.signature(request.signature_name())
      fetches = signatures.fetches(signature, request.output_filter)
      self.inputs = request.inputs(signature)
      signatures.check_inputs(signature, self.inputs)
      limits.check_pixels(self.inputs, self.core._max_pixels)
      self.core._run(
          self, signature, functools.partial(self._run, signature, fetches))
    # Whatever it is, the client is told, and others are served.
    except Exception as error:
      self.end(error)

  def _run(self, signature, fetches, inputs, deadline):
    start = time.monotonic()
    outputs = self.handle.model.run(signature, inputs, fetches, deadline)
    self.core.metrics.run(self.request.name, time.monotonic() - start)
    return outputs

  def end(self, result):
    """Answers with outputs or an error, and lets go of everything."""
    if not isinstance(result, Exception):
      try:
        result = self.request.answer(self.handle.version, result)
      except Exception as error:
        result = error
    if self.handle:
      self.handle.release()
    # First, so that who has an answer may ask again.
    self.core.gate.leave()
    if isinstance(result, Exception):
      result = from_exception(result)
    self._tell(result)

  def _tell(self, result):
    if isinstance(result, Exception):
      self._count(result.code)
      self.future.set_exception(result)
    else:
      self._count("OK")
      self.future.set_result(result)

  def _count(self, code):
    self.core.metrics.request(
        self.request.name, self.entrypoint, code, time.monotonic() - self.started)
