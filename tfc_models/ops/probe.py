"""What goes on inside of a codec, told to whoever listens.

    with probe.listening() as events:
      codec.decode(data)

`events` is then a list of (kind, value). Stages of the work note their seconds:
"model", "hyper", "refinement", "entropy coding"; an `AutoregressiveCodec` notes the
arguments of each "walk"; a refinement "refined", how many of how many steps. Networks that
weigh the sites of an image note by how much, 0 to 1, (B, H, W, C): an "attention" its mask,
an "importance" the share of channels that is kept. Nothing is noted without a listener, or
while a graph is traced.
"""

import contextlib
import time

import tensorflow as tf

_LISTENERS = []


@contextlib.contextmanager
def listening():
  """A context that yields the list of what is noted in it."""
  events = []
  _LISTENERS.append(events)
  try:
    yield events
  finally:
    # By identity: two empty lists are equal.
    _LISTENERS[:] = [one for one in _LISTENERS if one is not events]


@contextlib.contextmanager
def telling(function):
  """A context in which a function of (kind, value) is called at once."""
  teller = _Teller(function)
  _LISTENERS.append(teller)
  try:
    yield
  finally:
    _LISTENERS[:] = [one for one in _LISTENERS if one is not teller]


class _Teller:
  """Takes what is noted as a list does."""

  def __init__(self, function):
    self._function = function

  def append(self, event):
    """Calls the function."""
    self._function(*event)


def note(kind: str, value):
  """Tells the listeners."""
  if _LISTENERS and tf.executing_eagerly():
    for events in _LISTENERS:
      events.append((kind, value))


@contextlib.contextmanager
def span(kind: str):
  """A context whose seconds are noted."""
  start = time.perf_counter()
  yield
  note(kind, time.perf_counter() - start)


def seconds(events, kind: str) -> float:
  """Returns the sum of what spans of a kind took."""
  return sum(value for found, value in events if found == kind)
