"""Clients of a model server get the bytes of `tfcm compress`."""

import concurrent.futures
import contextlib
import io
import json
import shutil
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image

from tests import exports, serving
from tests.conftest import make_image
from tests.test_cli import fails, tfcm
from tfc_models.codecs import FileOptions, loading
from tfc_models.errors import (
    BitstreamError,
    ImageError,
    TooLargeError,
    UsageError,
    WrongWeightsError,
)
from tfc_models.serving import Client, ModelConfig, tls

pytestmark = pytest.mark.xdist_group("client")
MODELS = exports.NAMES


@pytest.fixture(scope="module")
def codecs(exported):
  base = loading.load(str(exported / "tfcm_base.npz"), effort=1)
  one = loading.load(str(exported / "bmshj2018_factorized.npz"), effort=1)
  return {"full": base, "split": base, "one-latent": one}


def _url(server, scheme, name=""):
  port = server.port if scheme == "grpc" else server.rest_port
  return f"{scheme}://127.0.0.1:{port}/{name}"


@pytest.mark.parametrize("scheme", ["grpc", "http"])
@pytest.mark.parametrize("name", MODELS)
def test_streams_are_those_of_the_library_and_decode_to_its_pixels(
    server, codecs, scheme, name):
  codec = codecs[name]
  with Client(_url(server, scheme, name)) as client:
    assert client.info["fingerprint"] == codec.fingerprint.hex()
    for image in (make_image(65, 127), make_image(40, 50, channels=1)):
      stream = client.compress(exports.png(image))
      assert stream == codec.encode(image) == client.compress(image)
      found = client.decompress(stream)
      assert found.shape == image.shape
      assert np.abs(np.int32(found) - codec.decode(stream)).max() <= 1


def test_files_that_no_export_reads_are_read_at_the_client(server, codecs):
  buffer = io.BytesIO()
  Image.fromarray(make_image(40, 50)).save(buffer, "WEBP", lossless=True)
  with Client(_url(server, "grpc"), "full") as client:
    assert client.compress(buffer.getvalue()) == codecs["full"].encode(
        make_image(40, 50))


_BARE = """
import sys
sys.modules["tensorflow"] = sys.modules["tensorflow_serving"] = None
from tfc_models.serving import Client
for url in sys.argv[1:]:
  with Client(url) as client:
    image = client.decompress(client.compress(open("a.png", "rb").read()))
    assert image.shape == (40, 50, 3)
"""


def test_the_full_flavor_needs_no_tensorflow_at_the_client(server, tmp_path):
  (tmp_path / "a.png").write_bytes(exports.png(make_image(40, 50)))
  subprocess.run(
      [sys.executable, "-c", _BARE,
       *(_url(server, scheme, "full") for scheme in ("grpc", "http"))],
      check=True, cwd=tmp_path)


@pytest.mark.parametrize("name", MODELS)
def test_files_that_are_not_of_the_model_are_refused(server, codecs, name):
  others = [codec for codec in codecs.values() if codec is not codecs[name]]
  image = make_image(40, 50)
  stream = bytearray(codecs[name].encode(image))
  with Client(_url(server, "grpc", name), max_pixels=2000) as client:
    with pytest.raises(WrongWeightsError, match="made with weights"):
      client.decompress(others[0].encode(image))
    with pytest.raises(TooLargeError, match="of 2000 pixels"):
      client.decompress(codecs[name].encode(make_image(41, 50)))
    for damaged in (stream[:-1], b"", stream[:-9] + b"x" + stream[-8:]):
      with pytest.raises(BitstreamError):
        client.decompress(bytes(damaged))


def test_a_file_whose_tables_differ_is_refused_by_its_digest(server, codecs):
  from tfc_models import bitstream
  codec = codecs["split"]
  stream = codec.read(codec.encode(make_image(40, 50)))
  (chunk,) = stream.chunks
  z, y = chunk.strings
  wrong = bitstream.write(
      stream.header, [chunk._replace(strings=(z, y[:-1] + bytes([y[-1] ^ 1])))])
  for name in ("full", "split"):
    with Client(_url(server, "http", name)) as client:
      with pytest.raises(BitstreamError):
        client.decompress(wrong)


def test_images_that_a_codec_would_damage_are_refused(server):
  buffer = io.BytesIO()
  Image.fromarray(make_image(40, 50)).convert("RGBA").save(buffer, "PNG")
  for scheme in ("grpc", "http"):
    with Client(_url(server, scheme, "split")) as client:
      with pytest.raises(ImageError, match="alpha channel"):
        client.compress(buffer.getvalue())
      with pytest.raises(ImageError, match="no image|not an image"):
        client.compress(b"text")
      with pytest.raises(ImageError, match="uint8"):
        client.compress(np.zeros((3, 3), np.float32))


def test_what_is_not_served_is_told_in_a_line(server, toys, tmp_path):
  shutil.copytree(toys[0], tmp_path / "toy" / "1")
  with serving.serving(ModelConfig("toy", str(tmp_path / "toy"))) as toy:
    for scheme in ("grpc", "http"):
      with Client(_url(toy.server, scheme, "toy")) as client:
        with pytest.raises(UsageError, match='key "codec" not found'):
          client.compress(make_image(8, 8))
  for scheme in ("grpc", "http"):
    with Client(_url(server, scheme, "other")) as client:
      with pytest.raises(UsageError, match=f"{scheme}://127.*other: .*NOT_FOUND"):
        client.compress(make_image(8, 8))


def test_a_client_goes_on_when_another_version_takes_over(
    exported, codecs, tmp_path):
  """Of the split flavour, whose tables it has from before."""
  image = make_image(40, 50)
  serving.put(exported / "split" / "1", tmp_path, 1)
  with serving.serving(ModelConfig("model", str(tmp_path))) as asking:
    urls = [_url(asking.server, scheme, "model") for scheme in ("grpc", "http")]
    with Client(urls[0]) as one, Client(urls[1]) as two:
      for client in (one, two):
        assert client.compress(image) == codecs["split"].encode(image)
      serving.put(exported / "one-latent" / "1", tmp_path, 2)
      expected, end = codecs["one-latent"].encode(image), time.monotonic() + 20
      while one.compress(image) != expected:
        assert time.monotonic() < end
      assert two.decompress(expected).shape == image.shape
      assert two.compress(image) == expected
      # The other way too: a file that was made before.
      with pytest.raises(WrongWeightsError):
        one.decompress(codecs["split"].encode(image))


@pytest.mark.slow
def test_a_client_waits_for_a_server_that_starts(exported, codecs):
  image = make_image(40, 50)
  with contextlib.ExitStack() as stack:
    sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
    for free in sockets:
      free.bind(("127.0.0.1", 0))
    ports = [free.getsockname()[1] for free in sockets]
  with concurrent.futures.ThreadPoolExecutor(2) as pool:
    def ask(scheme, port):
      with Client(f"{scheme}://127.0.0.1:{port}/model", retries=20) as client:
        return client.compress(image)

    futures = [pool.submit(ask, *one) for one in zip(("grpc", "http"), ports)]
    time.sleep(0.2)
    config = ModelConfig("model", str(exported / "one-latent"))
    with serving.serving(config, port=ports[0], rest_api_port=ports[1]):
      for future in futures:
        assert future.result() == codecs["one-latent"].encode(image)


def test_servers_are_known_by_their_certificates(exported, codecs, tmp_path):
  key, certificate = serving.certificate(tmp_path)
  config = ModelConfig("model", str(exported / "one-latent"))
  image = make_image(40, 50)
  with serving.serving(config, tls=tls.read_pair(key, certificate)) as asking:
    for scheme, port in (("grpcs", asking.server.port),
                         ("https", asking.server.rest_port)):
      url = f"{scheme}://localhost:{port}/model"
      with Client(url, ca=str(certificate)) as client:
        assert client.compress(image) == codecs["one-latent"].encode(image)
      with Client(url, retries=0) as client:
        with pytest.raises(UsageError, match="(?i)certificate|handshake|connect"):
          client.compress(image)


def test_threads_share_a_client(server, codecs):
  images = [make_image(40 + n, 50, seed=n) for n in range(6)]
  with Client(_url(server, "http", "split")) as client:
    found = {}
    threads = [threading.Thread(target=lambda n=n: found.update(
        {n: client.compress(images[n])})) for n in range(6)]
    for thread in threads:
      thread.start()
    for thread in threads:
      thread.join()
  assert found == {n: codecs["split"].encode(image) for n, image in enumerate(images)}


# The command line.


@pytest.mark.parametrize("scheme, name", [
    ("grpc", "full"), pytest.param("http", "split", marks=pytest.mark.slow)])
def test_verbs_code_at_a_server(server, codecs, tmp_path, scheme, name):
  for number in range(2):
    (tmp_path / f"{number}.png").write_bytes(exports.png(make_image(40, 50, seed=number)))
  words = ["--server", _url(server, scheme, name), "--json"]
  code, out, err = tfcm("compress", tmp_path, *words, "--jobs", 2)
  assert (code, err) == (0, "")
  for number, line in enumerate(out.splitlines()):
    data = (tmp_path / f"{number}.tfcm").read_bytes()
    assert data == codecs[name].encode(make_image(40, 50, seed=number))
    facts = json.loads(line)
    assert (facts["model"], facts["bytes"], facts["iterations"]) == (
        "tfcm-base", len(data), None)
  code, _, err = tfcm("decompress", tmp_path, "-o", tmp_path / "out", *words)
  assert (code, err) == (0, "")
  found = np.asarray(Image.open(tmp_path / "out" / "1.png"))
  expected = codecs[name].decode((tmp_path / "1.tfcm").read_bytes())
  assert np.abs(np.int32(found) - expected).max() <= 1


def test_metadata_stay_at_the_client_and_get_into_its_files(server, codecs, tmp_path):
  photo, tags = tmp_path / "a.png", Image.Exif()
  tags[0x010F] = "Maker"
  Image.fromarray(make_image(40, 50)).save(photo, exif=tags)
  url = _url(server, "grpc", "full")
  assert tfcm("compress", photo, "--server", url)[::2] == (0, "")
  block = tags.tobytes()[6:]
  assert photo.with_suffix(".tfcm").read_bytes() == codecs["full"].encode(
      make_image(40, 50), None, FileOptions(metadata={"exif": block}))
  assert tfcm("compress", photo, "--server", url, "--overwrite", "--strip")[::2] == (
      0, "")
  assert photo.with_suffix(".tfcm").read_bytes() == codecs["full"].encode(
      make_image(40, 50))


def test_failures_at_a_server_have_the_codes_of_their_kinds(server, tmp_path):
  (tmp_path / "a.png").write_text("no picture")
  (tmp_path / "a.tfcm").write_text("no stream")
  url = _url(server, "grpc", "full")
  fails(1, "a.png: not an image", "compress", tmp_path / "a.png", "--server", url,
        "-o", tmp_path / "b.tfcm")
  fails(2, "a.tfcm: ", "decompress", tmp_path / "a.tfcm", "--server", url,
        "-o", tmp_path / "b.png")
  (tmp_path / "a.png").write_bytes(exports.png(make_image(8, 8)))
  fails(1, "no answer within 1e-06 seconds; --timeout sets", "compress",
        tmp_path / "a.png", "--server", url, "--timeout", 1e-6, "-o", tmp_path / "b.tfcm")


@pytest.mark.parametrize("words, reason", [
    (["compress", "--quality", "5"], "--quality does not go with --server"),
    (["compress", "--model", "tfcm-base"], "--model does not go with --server"),
    (["compress", "--raw_bits"], "--raw_bits does not go with --server"),
    (["decompress", "--allow_partial"], "--allow_partial does not go with"),
    (["decompress", "--model_path", "x"], "--model_path does not go with"),
    (["compress", "--timeout", "0"], "timeout must be positive, got 0"),
    (["compress", "--server_ca", "x"], "certificates go with grpcs and https"),
])
def test_flags_that_a_server_cannot_follow_are_refused(tmp_path, words, reason):
  (tmp_path / "a.png").write_bytes(exports.png(make_image(8, 8)))
  fails(1, reason, *words, tmp_path / "a.png", "--server", "grpc://a")
  if "--server_ca" in words:
    fails(1, "--server_ca goes with --server", *words, tmp_path / "a.png")
