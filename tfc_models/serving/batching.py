"""Requests of equal sizes run together, by TensorFlow Serving's parameters."""

import collections
import dataclasses
import os
import threading
import time
from typing import Any, Callable, Optional

import numpy as np

from tfc_models.errors import UsageError
from tfc_models.serving import protos
from tfc_models.serving.status import ServingError, deadline_exceeded, invalid


@dataclasses.dataclass(frozen=True)
class Parameters:
  """Of `--batching_parameters_file`, with TensorFlow Serving's defaults.

  Attributes:
    max_batch_size: rows of a batch.
    batch_timeout_micros: how long a request waits for others.
    max_enqueued_batches: how many full batches may wait.
    num_batch_threads: batches that run at once.
    allowed_batch_sizes: to which batches are filled up, increasing, the last is
      max_batch_size; (): any.
  """

  max_batch_size: int = 1000
  batch_timeout_micros: int = 0
  max_enqueued_batches: int = 10
  num_batch_threads: int = os.cpu_count() or 1
  allowed_batch_sizes: tuple = ()

  def __post_init__(self):
    for field in dataclasses.fields(self)[:4]:
      least = 0 if field.name == "batch_timeout_micros" else 1
      if getattr(self, field.name) < least:
        raise UsageError(
            f"{field.name} is {getattr(self, field.name)}, wanted {least} or more")
    sizes = self.allowed_batch_sizes
    if sizes and (sorted(set(sizes)) != list(sizes) or sizes[0] < 1
                  or sizes[-1] != self.max_batch_size):
      raise UsageError(
          f"allowed_batch_sizes are {list(sizes)}, wanted increasing ones of which "
          f"the last is max_batch_size={self.max_batch_size}")

  def filled(self, rows):
    """Returns the size to which a batch of so many rows is filled up."""
    return next((size for size in self.allowed_batch_sizes if size >= rows), rows)


def read(path):
  """Returns the `Parameters` of a file in text format.

  Raises:
    UsageError: if it cannot be read or says what cannot be.
  """
  proto = protos.read_text(path, "BatchingParameters")
  if proto.pad_variable_length_inputs:
    raise UsageError(
        f"{path}: pad_variable_length_inputs is not offered, as padding changes "
        "what a codec codes")
  given = {
      field.name: getattr(proto, field.name).value
      for field in proto.DESCRIPTOR.fields
      if field.message_type and field.name != "thread_pool_name"
      and proto.HasField(field.name)}
  try:
    return Parameters(**given, allowed_batch_sizes=tuple(proto.allowed_batch_sizes))
  except UsageError as error:
    raise UsageError(f"{path}: {error}") from None


@dataclasses.dataclass
class Task:
  """What one request adds to a batch.

  Attributes:
    key: tasks of equal keys may share a batch.
    inputs: dict from name to array, all of `rows` rows.
    rows: size of their first axis.
    run: (inputs, deadline) to a dict of arrays.
    done: called with a dict of arrays, or an exception.
    deadline: of `time.monotonic()`, or None.
    arrived: when, likewise.
  """

  key: Any
  inputs: dict
  rows: int
  run: Callable
  done: Callable
  deadline: Optional[float] = None
  arrived: float = 0.0


def rows_of(inputs):
  """Returns the common size of the first axes of arrays, 0 if there is none."""
  sizes = {array.shape[:1] for array in inputs.values()}
  return sizes.pop()[0] if len(sizes) == 1 and sizes != {()} else 0


class Batcher:
  """Threads that gather tasks into batches.

  Args:
    parameters: `Parameters`.
  """

  def __init__(self, parameters):
    self._parameters = parameters
    self._queues = collections.OrderedDict()  # Key to a list of tasks.
    self._changed = threading.Condition()
    self._closing = False
    self._threads = [
        threading.Thread(target=self._work, name=f"batch-{i}", daemon=True)
        for i in range(parameters.num_batch_threads)]
    for thread in self._threads:
      thread.start()

  def submit(self, task):
    """Queues a task; `done` of it is called in another thread.

    Raises:
      ServingError: if it is larger than a batch, or the queue is full.
    """
    limit = self._parameters.max_batch_size
    if task.rows > limit:
      raise invalid(
          f"Task size {task.rows} is larger than maximum input batch size {limit}")
    task.arrived = time.monotonic()
    with self._changed:
      queue = self._queues.setdefault(task.key, [])
      waiting = sum(other.rows for other in queue) + task.rows
      if waiting > limit * self._parameters.max_enqueued_batches:
        raise ServingError(
            "RESOURCE_EXHAUSTED", "the queue of batches is full; try again later")
      queue.append(task)
      self._changed.notify()

  def close(self):
    """Runs what is queued, then ends the threads."""
    with self._changed:
      self._closing = True
      self._changed.notify_all()
    for thread in self._threads:
      thread.join()

  def _work(self):
    while tasks := self._next():
      _run(tasks, self._parameters.filled)

  def _next(self):
    """Waits for a batch that is full or old enough; None when closed."""
    with self._changed:
      while True:
        now, soonest = time.monotonic(), None
        for key, queue in self._queues.items():
          due = queue[0].arrived + self._parameters.batch_timeout_micros / 1e6
          if due <= now or self._closing or (
              sum(task.rows for task in queue) >= self._parameters.max_batch_size):
            return self._take(key, queue)
          soonest = due if soonest is None else min(soonest, due)
        if self._closing:
          return None
        self._changed.wait(None if soonest is None else soonest - now)

  def _take(self, key, queue):
    """Takes as many of the oldest tasks as fit; keys take turns."""
    batch, rows = [], 0
    while queue and rows + queue[0].rows <= self._parameters.max_batch_size:
      rows += queue[0].rows
      batch.append(queue.pop(0))
    if queue:
      self._queues.move_to_end(key)
      self._changed.notify()
    else:
      del self._queues[key]
    return batch


def _run(tasks, filled):
  """Runs tasks together, and one by one where that fails."""
  now = time.monotonic()
  late = [task for task in tasks if task.deadline is not None and task.deadline <= now]
  for task in late:
    task.done(deadline_exceeded())
  tasks = [task for task in tasks if task not in late]
  if not tasks:
    return
  try:
    results = _run_together(tasks, filled)
  # Whatever it was, one task of several may have caused it.
  except Exception as error:
    if len(tasks) == 1:
      tasks[0].done(error)
    else:
      for task in tasks:
        _run([task], filled)
    return
  for task, result in zip(tasks, results):
    task.done(result)


def _run_together(tasks, filled):
  """Returns the results of tasks of one key, in their order."""
  rows = sum(task.rows for task in tasks)
  surplus = filled(rows) - rows
  inputs = {}
  for name, first in tasks[0].inputs.items():
    parts = [task.inputs[name] for task in tasks]
    inputs[name] = np.concatenate(parts + [first[:1]] * surplus)
  # The one that may take longest; for the others, their callers look at the clock.
  deadlines = [task.deadline for task in tasks]
  outputs = tasks[0].run(inputs, None if None in deadlines else max(deadlines))
  for name, array in outputs.items():
    if array.shape[:1] != (rows + surplus,):
      raise ServingError(
          "FAILED_PRECONDITION",
          f"output {name}: its 0th dimension is not that of the batch")
  ends = np.cumsum([task.rows for task in tasks])
  return [
      {name: array[end - task.rows:end] for name, array in outputs.items()}
      for task, end in zip(tasks, ends)]
