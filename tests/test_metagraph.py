"""Published graphs of tensorflow/compression become ours, or are refused.

None could be fetched where this was written: `tests/metagraphs.py` builds what their
source says of them.
"""

import argparse
import functools
import json
import pathlib
import tempfile

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests import metagraphs
from tests.conftest import make_image
from tests.test_cli import fails, tfcm
from tests.test_convert import fingerprints_elsewhere
from tfc_models.cli import convert as verb
from tfc_models.codecs import LearnedCodec
from tfc_models.convert import (
    conversion,
    metagraph,
    metagraph_run,
    sources,
    tables,
)
from tfc_models.errors import UsageError
from tfc_models.modeling.settings import Settings
from tfc_models.weight_info import read_info

# Each with other liberties that a graph has.
OPTIONS = {
    "bmshj2018-factorized": {"as_bytes": True, "bias": True, "matrix": False},
    "bmshj2018-hyperprior": {"explicit": True},
    "mbt2018-mean": {"means_first": True},
}
EACH = pytest.mark.parametrize("name", [
    pytest.param(name, marks=() if name == "mbt2018-mean" else pytest.mark.slow)
    for name in OPTIONS])
FILE = "mbt2018-mean-msssim-4.metagraph"


@functools.cache
def graph_of(name):
  return metagraphs.meta_graph(name, **OPTIONS[name])


@functools.cache
def real(name):
  """Returns the real network of ours that a graph becomes, and what that says."""
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "x.metagraph"
    path.write_bytes(graph_of(name).SerializeToString())
    source = sources.read(str(path))
  model, _ = conversion.build(source.weights, is_float=True)
  metagraph_run.check(source.seen, model)
  return model, source.seen


@pytest.fixture(scope="module")
def made(tmp_path_factory):
  """A folder with a published file and what a call makes of it, and what that says."""
  folder = tmp_path_factory.mktemp("metagraph")
  Image.fromarray(make_image(80, 70)).save(folder / "photo.png")
  (folder / FILE).write_bytes(graph_of("mbt2018-mean").SerializeToString())
  code, out, err = tfcm("convert", folder / FILE, "-o", folder / "ours", "--json",
                        "--images", folder / "photo.png")
  assert (code, err) == (0, "")
  return folder, json.loads(out)


@EACH
def test_a_real_network_makes_the_same_picture(name):
  (model, _), image = real(name), make_image(64, 128)
  x_hat, picture = metagraphs.run(graph_of(name), image)
  ours = model(model.to_batch(image)).x_hat[0]
  np.testing.assert_allclose(ours, x_hat, atol=1e-4)
  assert np.abs(255.0 * np.clip(ours, 0, 1) - picture).max() < 0.52


@pytest.mark.parametrize("what, said", {
    "y": "y", "z": "z", "scale": "scales", "centre": "means", "x_hat": "x_hat",
    "picture": "not x_hat in 0..255"}.items())
def test_a_network_that_says_anything_else_is_refused(what, said):
  model, seen = real("mbt2018-mean")
  array = getattr(seen, what).copy()
  array[0, -1, -1, -1] += 1 if what in "yz" else 2.0 if what == "picture" else 0.02
  with pytest.raises(UsageError, match=said):
    metagraph_run.check(seen._replace(**{what: array}), model)


@EACH
def test_estimates_are_what_the_stored_tables_say(name):
  codec = real(name)[0].latent_codec
  codec = getattr(codec, "z_codec", codec)
  symbols, masses = tables.masses(
      *(v.numpy() for v in (codec.tables.cdf, codec.tables.cdf_offset)))
  drawn = np.where(masses > 0, symbols, 0).T[None, :, None].astype(np.float32)
  bits = codec.price(drawn)[1][0, :, 0].numpy().T
  excess = (masses * (bits + np.log2(np.maximum(masses, 1e-12)))).sum(axis=1)
  assert excess.max() < 0.01, excess


def test_integers_cost_little_and_code_at_once(made):
  folder, facts = made
  assert facts["model"] == "mbt2018-mean" and facts["arguments"]["exact"]
  test = facts["self_test"]
  assert abs(test["excess"]) < 0.02 and test["clipped"] < 0.01, test
  assert abs(test["real_psnr"] - test["integer_psnr"]) < 0.05, test
  codec = LearnedCodec.from_file(str(folder / "ours" / "model.npz"))
  image = make_image(80, 70)
  expected, _ = codec.model.reconstruct(image, Settings(effort=codec.effort))
  np.testing.assert_array_equal(codec.decode(codec.encode(image)), expected)


def test_kernels_are_computed_in_double_precision():
  network = metagraph.network_of(graph_of("mbt2018-mean").SerializeToString())
  for stage in network.sent[:2]:
    (single,) = network.graph.evaluate([network.graph.inputs(stage.node)[1]])
    assert (stage.kernel.dtype, single.dtype) == (np.float64, np.float32)
    assert np.abs(stage.kernel - single).max() < 1e-6


@pytest.mark.slow
def test_every_machine_gives_the_same_fingerprint(made):
  assert fingerprints_elsewhere([made[0] / FILE]) == [made[1]["fingerprint"]]


def test_names_say_model_and_metric_but_nobody_says_lmbda(made, tmp_path):
  for name, expected in {
      "bmshj2018-factorized-mse-3.metagraph": ("bmshj2018-factorized", "mse", 3, None),
      FILE: ("mbt2018-mean", "ms-ssim", 4, None), "x.metagraph": (None,) * 4,
      "hific-lo.metagraph": (None,) * 4}.items():
    assert tuple(metagraph.parse_name(name)) == expected
  info = read_info(made[0] / "ours" / "model.npz")
  assert info["distortion"] == "ms-ssim" and "lmbda" not in info
  assert "no licence of the weights is stated" in info["licence"]
  assert info["arguments"]["origin"] == "tfc" and info["source"] == FILE
  fails(1, "nobody says which lmbda", "convert", made[0] / FILE, "-o", tmp_path / "x",
        "--quality", "3")


def test_several_files_become_folders_of_their_names(tmp_path):
  for name in (FILE, "mbt2018-mean-mse-1.metagraph"):
    (tmp_path / name).touch()
  pairs = verb._pairs(argparse.Namespace(
      inputs=[str(path) for path in sorted(tmp_path.iterdir())], output="out"))
  assert [folder for _, folder in pairs] == [
      "out/mbt2018-mean-mse-1", "out/mbt2018-mean-msssim-4"]


def with_kernel(change):
  """Returns a graph with a change of the node that a kernel comes from."""
  graph = copied("bmshj2018-factorized")
  change(next(node for node in graph.graph_def.node
              if node.op == "Const" and "kernel_real" in node.name))
  return graph


def copied(name):
  graph = tf.compat.v1.MetaGraphDef()
  graph.CopyFrom(graph_of(name))
  return graph


def endless(node):
  tensor = node.attr["value"].tensor
  tensor.ClearField("tensor_content")
  tensor.tensor_shape.CopyFrom(tf.TensorShape([2**40]).as_proto())
  tensor.float_val[:] = [1.0]


def without_receiver():
  graph = copied("bmshj2018-factorized")
  del graph.signature_def["receiver"]
  return graph


REFUSED = {
    "a kernel that calls Python": (
        lambda: with_kernel(lambda node: setattr(node, "op", "PyFunc")),
        "is PyFunc, which is no arithmetic"),
    "a kernel from a file": (
        lambda: with_kernel(lambda node: setattr(node, "op", "ReadFile")),
        "is ReadFile, which is no arithmetic"),
    "three layers": (
        lambda: metagraphs.meta_graph("bmshj2018-factorized", stages=3),
        "its sender is conv5/2 norm conv5/2 norm conv5/2, wanted"),
    "another slope": (
        lambda: metagraphs.meta_graph("mbt2018-mean", slope=0.1),
        "computes other z than the network we take it for"),
    "tables of Laplacians": (
        lambda: metagraphs.meta_graph("bmshj2018-hyperprior", gaussian=False),
        "that is no Gaussian's"),
    "a constant without end": (
        lambda: with_kernel(endless), "is of (1099511627776,)"),
    "no receiver": (without_receiver, "no signature 'receiver'"),
}


@pytest.mark.parametrize("what", [
    # Kept for the slow ones: it takes a network of its own to say so.
    pytest.param(what, marks=pytest.mark.slow if what == "another slope" else ())
    for what in REFUSED])
def test_a_graph_is_refused_with(what, tmp_path):
  make, reason = REFUSED[what]
  (tmp_path / "x.metagraph").write_bytes(make().SerializeToString())
  fails(1, reason, "convert", tmp_path / "x.metagraph", "-o", tmp_path / "out")
  assert not (tmp_path / "out").exists()


def test_files_that_are_cut_or_of_another_model_are_refused(made, tmp_path):
  data = (made[0] / FILE).read_bytes()
  for name, content, reason in (
      ("x.metagraph", data[:-100], "not a MetaGraphDef that can be read"),
      ("bmshj2018-hyperprior-mse-1.metagraph", data,
       "holds mbt2018-mean, not bmshj2018-hyperprior")):
    (tmp_path / name).write_bytes(content)
    fails(1, reason, "convert", tmp_path / name, "-o", tmp_path / "out")
  assert not (tmp_path / "out").exists()
