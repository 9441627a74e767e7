"""A program: TensorFlow's C++ runtime by its C API, as servers in C++ load models.

    c_api.py FOLDER_OF_TENSORFLOW MODEL NAMES_JSON INPUTS_NPZ OUTPUTS_NPZ [OPS_LIBRARY]

Loads a SavedModel into a session, runs what NAMES_JSON names, and has no TensorFlow in
Python, whose import would register operations. Prints what went wrong.
"""

import ctypes
import json
import os
import sys

import numpy as np

_POINTER = ctypes.c_void_p
_DTYPES = {3: np.int32, 4: np.uint8}
_STRING = 7


class _Output(ctypes.Structure):
  _fields_ = [("operation", _POINTER), ("index", ctypes.c_int)]


class Runtime:
  """The functions of the library; those that return pointers are named."""

  _POINTERS = (
      "TF_NewStatus", "TF_NewGraph", "TF_NewSessionOptions", "TF_LoadLibrary",
      "TF_LoadSessionFromSavedModel", "TF_GraphOperationByName", "TF_AllocateTensor",
      "TF_TensorData", "TF_StringGetDataPointer")
  _SIZES = ("TF_Dim", "TF_StringGetSize", "TF_TensorByteSize")

  def __init__(self, folder):
    ctypes.CDLL(os.path.join(folder, "libtensorflow_framework.so.2"),
                mode=ctypes.RTLD_GLOBAL)
    self._library = ctypes.CDLL(os.path.join(folder, "libtensorflow_cc.so.2"))
    self._library.TF_Message.restype = ctypes.c_char_p
    self.status = _POINTER(self.TF_NewStatus())

  def __getattr__(self, name):
    function = getattr(self._library, name)
    if name in self._POINTERS:
      function.restype = _POINTER
    elif name in self._SIZES:
      function.restype = ctypes.c_int64
    return function

  def check(self):
    """Ends the program with the message of a failure."""
    if self.TF_GetCode(self.status):
      sys.exit(self.TF_Message(self.status).decode())

  def load(self, path):
    """Loads a SavedModel."""
    self.graph = _POINTER(self.TF_NewGraph())
    tags = (ctypes.c_char_p * 1)(b"serve")
    self.session = _POINTER(self.TF_LoadSessionFromSavedModel(
        _POINTER(self.TF_NewSessionOptions()), None, path.encode(), tags, 1,
        self.graph, None, self.status))
    self.check()

  def run(self, inputs, outputs):
    """Returns a dict of arrays.

    Args:
      inputs: name of a tensor to array.
      outputs: what to call it to name of a tensor.
    """
    results = (_POINTER * len(outputs))()
    self.TF_SessionRun(
        self.session, None, *self._list(inputs),
        (_POINTER * len(inputs))(*map(self._tensor, inputs.values())), len(inputs),
        *self._list(outputs.values()), results, len(outputs), None, 0, None, self.status)
    self.check()
    return {name: self._array(_POINTER(one)) for name, one in zip(outputs, results)}

  def _list(self, names):
    pairs = [name.split(":") for name in names]
    return [(_Output * len(pairs))(*(
        _Output(self.TF_GraphOperationByName(self.graph, name.encode()), int(index))
        for name, index in pairs))]

  def _tensor(self, array):
    array = np.ascontiguousarray(array)
    (kind,) = [kind for kind, dtype in _DTYPES.items() if dtype == array.dtype]
    tensor = self.TF_AllocateTensor(
        kind, (ctypes.c_int64 * array.ndim)(*array.shape), array.ndim,
        ctypes.c_size_t(array.nbytes))
    ctypes.memmove(
        self.TF_TensorData(_POINTER(tensor)), array.ctypes.data, array.nbytes)
    return tensor

  def _array(self, tensor):
    data, kind = self.TF_TensorData(tensor), self.TF_TensorType(tensor)
    if kind == _STRING:  # One.
      return np.frombuffer(ctypes.string_at(
          self.TF_StringGetDataPointer(_POINTER(data)),
          self.TF_StringGetSize(_POINTER(data))), np.uint8)
    shape = [self.TF_Dim(tensor, axis) for axis in range(self.TF_NumDims(tensor))]
    array = np.empty(shape, _DTYPES[kind])
    ctypes.memmove(array.ctypes.data, data, array.nbytes)
    return array


def main(folder, model, names, inputs, outputs, *libraries):
  runtime = Runtime(folder)
  for library in libraries:
    runtime.TF_LoadLibrary(library.encode(), runtime.status)
    runtime.check()
  runtime.load(model)
  names = json.loads(names)
  with np.load(inputs) as arrays:
    found = runtime.run(
        {names["inputs"][name]: arrays[name] for name in arrays}, names["outputs"])
  assert "tensorflow" not in sys.modules
  np.savez(outputs, **found)


if __name__ == "__main__":
  main(*sys.argv[1:])
