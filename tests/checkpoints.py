"""Checkpoints as torch writes them, of random networks as CompressAI has them."""

import pathlib
import struct
import zipfile

import numpy as np

FOLDER = pathlib.Path(__file__).parent / "compressai"
_STORAGES = {"f2": "Half", "f4": "Float", "f8": "Double", "i4": "Int", "i8": "Long"}


def write(path, arrays, *, change=None, compression=zipfile.ZIP_STORED):
  """Puts a state_dict at `path`, as a zip archive.

  Args:
    path: of the file.
    arrays: name to array.
    change: function of the bytes of its pickle, to spoil them.
    compression: of the entries.
  """
  pickled = b"\x80\x02}(" + b"".join(
      _text(name) + tensor(number, array) for number, (name, array) in enumerate(
          arrays.items())) + b"u."
  with zipfile.ZipFile(path, "w", compression) as archive:
    archive.writestr("archive/data.pkl", change(pickled) if change else pickled)
    for number, array in enumerate(arrays.values()):
      archive.writestr(
          f"archive/data/{number}", np.ascontiguousarray(array).tobytes())


def tensor(key, array, offset=0, size=None, strides=None):
  """Returns the operations that make a tensor of storage `key`; claims as given."""
  size = array.shape if size is None else size
  if strides is None:
    strides = [n // array.itemsize for n in np.ascontiguousarray(array).strides]
  storage = _STORAGES[array.dtype.str[1:]]
  return b"".join([
      _name("torch._utils", "_rebuild_tensor_v2"), b"((", _text("storage"),
      _name("torch", f"{storage}Storage"), _text(str(key)), _text("cpu"),
      _int(array.size), b"tQ", _int(offset), b"(", *map(_int, size), b"t(",
      *map(_int, strides), b"t\x89", _name("collections", "OrderedDict"), b")RtR"])


def _text(text):
  return b"X" + struct.pack("<I", len(text)) + text.encode()


def _name(module, name):
  return f"c{module}\n{name}\n".encode()


def _int(number):
  return b"J" + struct.pack("<i", number)


def seen(name):
  """Returns a dict of arrays: what CompressAI 1.2.8 made of `network(name)`.

  Quantiles and tables of its density, and of `make_image(64, 128)` y, x_hat of every
  fourth row and column, estimated bits and coded bytes.
  """
  with np.load(FOLDER / f"{name}.npz") as arrays:
    return dict(arrays)


def network(name, seen, n=8, m=12):
  """Returns the state_dict of a random network, with dense GDN and wide latents.

  Args:
    name: registered name.
    seen: dict with what CompressAI made of its densities: quantiles and tables.
    n, m: widths.
  """
  random = np.random.RandomState(7)
  state = {}

  def layer(key, size, inputs, outputs, transposed=False, gain=1.0, shift=0.0):
    shape = (inputs, outputs) if transposed else (outputs, inputs)
    deviation = 1.3 / np.sqrt(3.0 * shape[1] * size**2)
    state[f"{key}.weight"] = gain * deviation * random.standard_normal(
        (*shape, size, size))
    state[f"{key}.bias"] = 0.1 * random.standard_normal(outputs) + shift

  for key, widths in (("g_a", (3, n, n, n, m)), ("g_s", (m, n, n, n, 3))):
    for number in range(4):
      layer(f"{key}.{2 * number}", 5, *widths[number:number + 2], key == "g_s",
            gain=12.0 if (key, number) == ("g_a", 3) else 1.0)
      if number < 3:
        at = f"{key}.{2 * number + 1}"
        state[f"{at}.beta"] = np.sqrt(0.3 + random.rand(n))
        # With entries below the bound.
        state[f"{at}.gamma"] = 0.2 * np.eye(n) - 1e-3 * (random.rand(n, n) > 0.9) + (
            np.sqrt(random.rand(n, n) / n * 0.5) * (random.rand(n, n) > 0.2))
        for part in ("beta", "gamma"):
          state[f"{at}.{part}_reparam.pedestal"] = np.full(1, 2.0**-36)
          state[f"{at}.{part}_reparam.lower_bound.bound"] = np.full(1, 2.0**-18)
  wide = name in ("mbt2018-mean", "mbt2018")
  last = {"gain": 8.0, "shift": 0.4}
  if name != "bmshj2018-factorized":
    for number, (size, inputs) in enumerate(((3, m), (5, n), (5, n))):
      layer(f"h_a.{2 * number}", size, inputs, n, gain=4.0 if number == 2 else 1.0)
    widths = (n, m, m * 3 // 2, 2 * m) if wide else (n, n, n, m)
    for number in range(3):
      layer(f"h_s.{2 * number}", 3 if number == 2 else 5, *widths[number:number + 2],
            number < 2, **(last if number == 2 and name != "mbt2018" else {}))
    state["gaussian_conditional.scale_table"] = np.zeros(0)
  if name == "mbt2018":
    layer("context_prediction", 5, m, 2 * m)
    mask = np.ones((2 * m, m, 5, 5))
    mask[:, :, 2, 2:] = mask[:, :, 3:] = 0.0
    state["context_prediction.mask"] = mask
    state["context_prediction.weight"] *= mask
    widths = (4 * m, m * 10 // 3, m * 8 // 3, 2 * m)
    for number in range(3):
      layer(f"entropy_parameters.{2 * number}", 1, *widths[number:number + 2],
            **(last if number == 2 else {}))
  channels, widths = (n if name != "bmshj2018-factorized" else m), (1, 3, 3, 3, 3, 1)
  key = "entropy_bottleneck"
  for number in range(5):
    shape = (channels, widths[number + 1], widths[number])
    start = np.log(np.expm1(10.0**-0.2 / shape[1]))
    state[f"{key}.matrices.{number}"] = start + 0.3 * random.standard_normal(shape)
    state[f"{key}.biases.{number}"] = 0.7 * random.standard_normal((*shape[:2], 1))
    if number < 4:
      state[f"{key}.factors.{number}"] = 0.5 * random.standard_normal((*shape[:2], 1))
  state = {name: np.float32(array) for name, array in state.items()}
  state.update({f"{key}.{name}": array for name, array in seen.items()
                if name in ("quantiles", "_offset", "_quantized_cdf", "_cdf_length")})
  return state
