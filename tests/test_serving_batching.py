"""Requests that run together give what they give alone."""

import concurrent.futures
import threading
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from tests import serving
from tests.test_serving import png
from tfc_models.errors import UsageError
from tfc_models.serving import ServingError, batching, signatures

pytestmark = pytest.mark.xdist_group("serving")


def task(x, done, run=None, key="k", deadline=None):
  x = np.float32(x)
  return batching.Task(
      key, {"x": x}, len(x), run or (lambda inputs, _: {"y": inputs["x"] / 2}),
      done, deadline)


class Runs:
  """Takes down the batches that are run."""

  def __init__(self, wait=None):
    self.sizes = []
    self.results = {}
    self._wait = wait

  def __call__(self, inputs, deadline):
    if self._wait:
      self._wait.wait()
    self.sizes.append(len(inputs["x"]))
    if -1 in inputs["x"]:
      raise ServingError("INVALID_ARGUMENT", "-1")
    return {"y": inputs["x"] / 2}

  def done(self, name):
    return lambda result: self.results.update({name: result})


def test_a_batch_is_full_at_its_size_and_each_gets_its_rows():
  runs = Runs()
  batcher = batching.Batcher(batching.Parameters(
      max_batch_size=4, batch_timeout_micros=10**9, num_batch_threads=1))
  for name, x in (("a", [1, 2]), ("b", [3]), ("c", [4])):
    batcher.submit(task(x, runs.done(name), runs))
  while len(runs.results) < 3:
    time.sleep(0.001)
  batcher.close()
  assert runs.sizes == [4]
  assert {name: result["y"].tolist() for name, result in runs.results.items()} == {
      "a": [0.5, 1], "b": [1.5], "c": [2]}


def test_a_batch_is_filled_up_to_an_allowed_size():
  runs = Runs()
  batcher = batching.Batcher(batching.Parameters(
      max_batch_size=8, batch_timeout_micros=1000, num_batch_threads=1,
      allowed_batch_sizes=(2, 8)))
  batcher.submit(task([1, 2, 3], runs.done("a"), runs))
  batcher.close()
  assert runs.sizes == [8]
  assert runs.results["a"]["y"].tolist() == [0.5, 1, 1.5]


def test_one_bad_request_does_not_spoil_its_batch():
  runs = Runs()
  batcher = batching.Batcher(batching.Parameters(
      max_batch_size=3, batch_timeout_micros=10**9, num_batch_threads=1))
  for name, x in (("a", [1]), ("bad", [-1]), ("c", [4])):
    batcher.submit(task(x, runs.done(name), runs))
  batcher.close()
  assert runs.sizes == [3, 1, 1, 1]
  assert runs.results["c"]["y"].tolist() == [2]
  assert runs.results["bad"].code == "INVALID_ARGUMENT"


def test_tasks_of_other_shapes_or_late_ones_stay_apart():
  runs = Runs()
  batcher = batching.Batcher(batching.Parameters(
      max_batch_size=9, batch_timeout_micros=10**9, num_batch_threads=1))
  batcher.submit(task([1], runs.done("a"), runs))
  batcher.submit(task([2], runs.done("b"), runs, key="other"))
  batcher.submit(task([3], runs.done("late"), runs, deadline=time.monotonic() - 1))
  batcher.close()
  assert runs.sizes == [1, 1]
  assert runs.results["late"].code == "DEADLINE_EXCEEDED"


def test_a_full_queue_and_a_task_beyond_a_batch_are_refused():
  gate = threading.Event()
  runs = Runs(gate)
  batcher = batching.Batcher(batching.Parameters(
      max_batch_size=2, max_enqueued_batches=1, num_batch_threads=1))
  batcher.submit(task([1, 2], runs.done("running"), runs))
  while batcher._queues:
    time.sleep(0.001)
  batcher.submit(task([1, 2], runs.done("queued"), runs))
  with pytest.raises(ServingError) as caught:
    batcher.submit(task([1], runs.done("refused"), runs))
  assert caught.value.code == "RESOURCE_EXHAUSTED"
  with pytest.raises(ServingError) as caught:
    batcher.submit(task([1, 2, 3], runs.done("refused"), runs))
  assert caught.value.code == "INVALID_ARGUMENT"
  gate.set()
  batcher.close()
  assert runs.sizes == [2, 2] and set(runs.results) == {"running", "queued"}


def test_a_model_whose_outputs_have_other_rows_is_told_apart():
  results = []
  batcher = batching.Batcher(batching.Parameters(num_batch_threads=1))
  batcher.submit(task([1, 2], results.append, lambda inputs, _: {"y": np.zeros(3)}))
  batcher.close()
  assert results[0].code == "FAILED_PRECONDITION"


def test_the_parameters_file_is_read_strictly(tmp_path):
  file = tmp_path / "batching.config"
  file.write_text("""
      max_batch_size { value: 8 }  # Rows.
      batch_timeout_micros { value: 0 }
      max_enqueued_batches { value: 3 }
      num_batch_threads { value: 2 }
      thread_pool_name { value: "x" }
      allowed_batch_sizes: 4
      allowed_batch_sizes: 8""")
  assert batching.read(file) == batching.Parameters(8, 0, 3, 2, (4, 8))
  for text, what in (
      ("max_batch_size: 8", "text format"),
      ("max_batch_sise { value: 8 }", "max_batch_sise"),
      ("max_batch_size { value: 0 }", "1 or more"),
      ("num_batch_threads { value: -1 }", "1 or more"),
      ("max_batch_size { value: 8 } allowed_batch_sizes: 4", "last is"),
      ("max_batch_size { value: 4 } allowed_batch_sizes: [4, 4]", "increasing"),
      ("pad_variable_length_inputs: true", "not offered")):
    file.write_text(text)
    with pytest.raises(UsageError, match=what) as caught:
      batching.read(file)
    assert str(caught.value).startswith(str(file))


def test_batched_answers_are_those_of_unbatched_ones(toys, tmp_path):
  serving.put(toys[0], tmp_path, 1)
  pictures = [png(4 + i, 5) for i in range(12)]

  def ask(client, i):
    numbers = client.y([i, i + 1] if i % 2 else [i])
    size = client.predict({"image_bytes": np.array([pictures[i]], object)},
                          signature="size")
    return numbers, tf.make_ndarray(size.outputs["size"]).tolist()

  found = []
  parameters = batching.Parameters(
      max_batch_size=4, batch_timeout_micros=20_000, num_batch_threads=2,
      allowed_batch_sizes=(2, 4))
  for chosen in (None, parameters):
    with serving.serving(
        serving.config(tmp_path), batching_parameters=chosen) as client:
      with concurrent.futures.ThreadPoolExecutor(6) as pool:
        found.append(list(pool.map(lambda i: ask(client, i), range(12))))  # noqa: B023
      # Bad ones are refused as before, one by one.
      with pytest.raises(grpc.RpcError, match="INVALID_ARGUMENT"):
        client.predict({"image_bytes": np.array([b"x"], object)}, signature="size")
      assert client.code({"seconds": np.float32([9])}, signature="burn",
                         timeout=0.3) == "DEADLINE_EXCEEDED"
  assert found[0] == found[1]
  assert found[0][3] == ([2.5, 3.0], [7 * 5 * 3])


@pytest.mark.parametrize("shapes, expected", [
    ({"x": [None]}, True), ({"x": [None, 3], "y": [None]}, True),
    ({"x": [None, 3], "shape": [3]}, False), ({"x": []}, False)])
def test_only_signatures_with_a_batch_axis_everywhere_are_batched(shapes, expected):
  signature = meta_graph_pb2.SignatureDef()
  for name, shape in shapes.items():
    signature.inputs[name].tensor_shape.CopyFrom(tf.TensorShape(shape).as_proto())
  assert signatures.takes_batches(signature) == expected
