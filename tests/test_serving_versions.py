"""Versions of models that come and go while they are served."""

import concurrent.futures
import contextlib
import shutil
import threading
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    prediction_log_pb2,
)
from tensorflow_serving.config import model_server_config_pb2

from tests import serving
from tfc_models.errors import UsageError
from tfc_models.serving import ModelConfig, ServingError, model_config

pytestmark = pytest.mark.xdist_group("serving")


@pytest.fixture
def base(toys, tmp_path):
  """Base path of a model with version 1."""
  (tmp_path / "toy").mkdir()
  serving.put(toys[0], tmp_path / "toy", 1)
  return tmp_path / "toy"


def states(client, name="toy"):
  """Returns a dict from version to state and message, as the server tells."""
  request = get_model_status_pb2.GetModelStatusRequest()
  request.model_spec.name = name
  return {
      status.version: (
          status.State.Name(status.state), status.status.error_message)
      for status in client.models.GetModelStatus(request).model_version_status}


def wait_for(condition):
  end = time.monotonic() + 20
  while not condition():
    assert time.monotonic() < end
    time.sleep(0.02)


@contextlib.contextmanager
def load_on(client, **spec):
  """Predicts all the while over gRPC and REST; yields the set of what came back."""
  found, stop = set(), threading.Event()

  def ask():
    while not stop.is_set():
      try:
        found.add(client.y([1], **spec)[0])
      except grpc.RpcError as error:
        found.add(error.code().name)
      code, content = client.rest("/v1/models/toy:predict", {"instances": [1]})
      found.add(content["predictions"][0] if code == 200 else code)

  with concurrent.futures.ThreadPoolExecutor(3) as pool:
    futures = [pool.submit(ask) for _ in range(3)]
    try:
      wait_for(lambda: found)
      yield found
    finally:
      stop.set()
  for future in futures:
    future.result()


def test_a_new_version_takes_over_and_no_request_fails(toys, base):
  with serving.serving(serving.config(base)) as client:
    with load_on(client) as found:
      assert found == {1.5}
      serving.put(toys[1], base, 2)
      wait_for(lambda: states(client).get(1) == ("END", ""))
      wait_for(lambda: client.y([1]) == [2.5])
    assert found == {1.5, 2.5}
    assert client.code({"x": np.float32([1])}, version=1) == "NOT_FOUND"
    # And back, when it is withdrawn.
    (base / "2").rename(base / "withdrawn")
    wait_for(lambda: client.y([1]) == [1.5])


def test_a_version_ends_after_its_requests(toys, base):
  with serving.serving(serving.config(base)) as client:
    call = client.prediction.Predict.future(serving.predict_request(
        {"seconds": np.float32([1.5])}, signature="burn"))
    wait_for(lambda: client.server.core.gate.inside)
    serving.put(toys[1], base, 2)
    wait_for(lambda: states(client).get(2) == ("AVAILABLE", ""))
    wait_for(lambda: states(client)[1] == ("UNLOADING", ""))
    assert client.y([1]) == [2.5]
    assert call.result().model_spec.version.value == 1
    wait_for(lambda: states(client)[1] == ("END", ""))


def test_a_broken_version_leaves_the_old_one_serving(toys, base):
  with serving.serving(serving.config(base)) as client:
    broken = base.parent / "broken"
    shutil.copytree(toys[1], broken)
    data = broken / "variables" / "variables.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-2])
    (broken / "saved_model.pb").write_bytes(b"\xff" * 100)
    broken.rename(base / "2")
    wait_for(lambda: states(client).get(2, "?")[0] == "END")
    reason = states(client)[2][1]
    assert reason and reason.isprintable()
    assert client.y([1]) == [1.5]
    # It is not tried again, until something in it changes.
    shutil.copy(toys[1] / "saved_model.pb", base / "2" / "saved_model.pb")
    wait_for(lambda: states(client)[2][1] not in ("", reason))
    assert client.y([1]) == [1.5]
    shutil.copy(toys[1] / "variables" / data.name, base / "2" / "variables" / data.name)
    wait_for(lambda: client.y([1]) == [2.5])


def test_what_is_no_whole_version_is_not_looked_at(toys, base):
  for name in ("x", "-3", "2.tmp", ".4", "٣", "9" * 30):
    shutil.copytree(toys[1], base / name)
  (base / "5").mkdir()
  (base / "6").write_text("")
  with serving.serving(serving.config(base)) as client:
    client.server.manager.reconcile()
    assert states(client) == {1: ("AVAILABLE", "")}
    # Leading zeros are allowed, as in TensorFlow Serving's own examples.
    serving.put(toys[1], base, "0007")
    wait_for(lambda: 7 in states(client))
    wait_for(lambda: client.y([1]) == [2.5])


def test_an_empty_folder_is_served_once_something_is_there(toys, tmp_path):
  with serving.serving(serving.config(tmp_path)) as client:
    assert client.code({"x": np.float32([1])}) == "NOT_FOUND"
    serving.put(toys[0], tmp_path, 1)
    wait_for(lambda: client.code({"x": np.float32([1])}) == "OK")


def test_policies_choose_among_versions():
  versions = [4, 1, 10, 7]
  assert ModelConfig("m", "/m").choose(versions) == [10]
  assert ModelConfig("m", "/m", latest=2).choose(versions) == [7, 10]
  assert ModelConfig("m", "/m", latest=0).choose(versions) == [1, 4, 7, 10]
  assert ModelConfig("m", "/m", specific=(4, 5)).choose(versions) == [4]


def test_a_configuration_file_holds_models_policies_and_labels(tmp_path):
  file = tmp_path / "models.config"
  file.write_text("""
      # Two models.
      model_config_list {
        config { name: "a" base_path: "/a" model_platform: "tensorflow"
                 model_version_policy { specific { versions: 3 versions: 4 } }
                 version_labels { key: "stable" value: 3 } }
        config { name: "b" base_path: "/b" model_version_policy { all {} } }
        config { name: "c" base_path: "/c"
                 model_version_policy { latest { num_versions: 2 } } }
      }""")
  assert model_config.read(file) == [
      ModelConfig("a", "/a", specific=(3, 4), labels={"stable": 3}),
      ModelConfig("b", "/b", latest=0), ModelConfig("c", "/c", latest=2)]


@pytest.mark.parametrize("text, what", [
    ("model_config_list { config { nam", "text format"),
    ("model_config_list { config { name: 'a' base_path: '/a' colour: 3 } }", "colour"),
    ("model_config_list { config { name: 'a' base_path: 'a' } }", "absolute"),
    ("model_config_list { config { base_path: '/a' } }", "name"),
    ("model_config_list { config { name: 'a' base_path: '/a' } "
     "config { name: 'a' base_path: '/b' } }", "two models"),
    ("model_config_list { config { name: 'a' base_path: '/a' "
     "model_platform: 'other' } }", "platform"),
    ("model_config_list { config { name: 'a' base_path: '/a' "
     "model_version_policy { specific {} } } }", "no versions"),
    ("", "model_config_list"),
])
def test_a_wrong_configuration_file_is_told_in_one_line(tmp_path, text, what):
  file = tmp_path / "models.config"
  file.write_text(text)
  with pytest.raises(UsageError, match=what) as caught:
    model_config.read(file)
  assert str(caught.value).startswith(str(file))


def reload(client, *configs):
  """Has the server take another configuration, by its own request."""
  proto = model_server_config_pb2.ModelServerConfig()
  for text in configs:
    proto.model_config_list.config.add(**text)
  return client.models.HandleReloadConfigRequest(
      model_management_pb2.ReloadConfigRequest(config=proto), timeout=20)


def test_a_reload_adds_and_removes_models_under_load(toys, base):
  toy = {"name": "toy", "base_path": str(base)}
  (base.parent / "more").mkdir()
  serving.put(toys[1], base.parent / "more", 5)
  more = {"name": "more", "base_path": str(base.parent / "more")}
  with serving.serving(serving.config(base)) as client:
    with load_on(client) as found:
      for _ in range(2):
        reload(client, toy, more)
        assert client.y([1], name="more") == [2.5]
        reload(client, toy)
        assert client.code({"x": np.float32([1])}, name="more") == "NOT_FOUND"
    assert found == {1.5}
    with load_on(client) as found:
      reload(client, more)
      wait_for(lambda: 404 in found)
    # Some were answered, those after it were told why not.
    assert found <= {1.5, "NOT_FOUND", 404}
    assert client.rest("/v1/models/toy")[0] == 404


def test_a_model_with_another_name_serves_before_the_old_one_ends(base):
  with serving.serving(serving.config(base)) as client:
    found = []

    def ask():
      while len(found) < 3 or found[-1] == "toy":
        try:
          client.y([1])
          found.append("toy")
        except grpc.RpcError:
          client.y([1], name="renamed")
          found.append("renamed")

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
      asking = pool.submit(ask)
      wait_for(lambda: found)
      reload(client, {"name": "renamed", "base_path": str(base)})
      asking.result()


def test_a_reload_that_cannot_be_changes_nothing(base):
  toy = {"name": "toy", "base_path": str(base)}
  with serving.serving(serving.config(base)) as client:
    for configs, code in (
        ([{"name": "toy", "base_path": "/nowhere/at/all"}], "INVALID_ARGUMENT"),
        ([toy, toy], "INVALID_ARGUMENT"),
        ([{**toy, "name": "more", "version_labels": {"stable": 7}}],
         "FAILED_PRECONDITION")):
      with pytest.raises(grpc.RpcError) as caught:
        reload(client, *configs)
      assert caught.value.code().name == code
      assert client.y([1]) == [1.5]
      assert client.code({"x": np.float32([1])}, name="more") == "NOT_FOUND"


def test_a_reload_tells_of_models_without_a_version(base):
  (base.parent / "empty").mkdir()
  empty = {"name": "empty", "base_path": str(base.parent / "empty")}
  with serving.serving(serving.config(base)) as client:
    with pytest.raises(grpc.RpcError, match="no version is available of: empty"):
      reload(client, {"name": "toy", "base_path": str(base)}, empty)
    assert client.y([1]) == [1.5]


def test_a_label_moves_by_a_reload(toys, base):
  serving.put(toys[1], base, 2)
  with serving.serving(serving.config(base, latest=2, labels={"stable": 1})) as client:
    assert client.y([1], label="stable") == [1.5]
    reload(client, {"name": "toy", "base_path": str(base), "version_labels": {
        "stable": 2}, "model_version_policy": {"all": {}}})
    assert client.y([1], label="stable") == [2.5]


def test_a_changed_configuration_file_is_followed(base):
  file = base.parent / "models.config"
  text = 'model_config_list {{ config {{ name: "{}" base_path: "{}" }} }}'
  file.write_text(text.format("toy", base))
  with serving.serving(
      *model_config.read(file), model_config_file=str(file),
      model_config_file_poll_wait_seconds=0.05) as client:
    assert client.y([1]) == [1.5]
    file.write_text("model_config_list { broken")
    time.sleep(0.2)
    assert client.y([1]) == [1.5]
    file.write_text(text.format("renamed", base))
    wait_for(lambda: client.code({"x": np.float32([1])}) == "NOT_FOUND")
    assert client.y([1], name="renamed") == [1.5]


def test_another_folder_of_the_same_number_takes_over(toys, base):
  other = base.parent / "other"
  other.mkdir()
  serving.put(toys[1], other, 1)
  with serving.serving(serving.config(base)) as client:
    with load_on(client) as found:
      reload(client, {"name": "toy", "base_path": str(other)})
      assert client.y([1]) == [2.5]
      wait_for(lambda: 2.5 in found)
    assert found == {1.5, 2.5}


def warmup(path, *records):
  (path / "assets.extra").mkdir()
  with tf.io.TFRecordWriter(
      str(path / "assets.extra" / "tf_serving_warmup_requests")) as writer:
    for record in records:
      writer.write(record)


def test_warm_up_requests_run_before_a_version_serves(toys, base):
  record = prediction_log_pb2.PredictionLog()
  record.predict_log.request.CopyFrom(serving.predict_request(
      {"seconds": np.float32([0.5])}, signature="burn"))
  shutil.copytree(toys[1], base / "new")
  warmup(base / "new", *[record.SerializeToString()] * 2)
  (base / "new").rename(base / "2")
  start = time.monotonic()
  with serving.serving(serving.config(base)) as client:
    assert time.monotonic() - start > 1
    assert client.y([1]) == [2.5]


@pytest.mark.parametrize("kind", ["no proto", "wrong request", "cut"])
def test_a_version_whose_warm_up_fails_does_not_serve(toys, base, kind):
  record = prediction_log_pb2.PredictionLog()
  record.predict_log.request.CopyFrom(serving.predict_request({"z": np.float32([1])}))
  shutil.copytree(toys[1], base / "new")
  warmup(base / "new", b"\xff\xff" if kind == "no proto" else (
      record.SerializeToString()))
  if kind == "cut":
    file = base / "new" / "assets.extra" / "tf_serving_warmup_requests"
    file.write_bytes(file.read_bytes()[:-3])
  (base / "new").rename(base / "2")
  with serving.serving(serving.config(base, latest=2)) as client:
    assert "warm-up record" in states(client)[2][1]
    assert client.y([1]) == [1.5]


def test_a_folder_that_is_not_there_is_a_usage_error_at_the_start(tmp_path):
  with pytest.raises(ServingError, match="base_path"):
    with serving.serving(serving.config(tmp_path / "nowhere")):
      pass
