"""Registered names of models: one name, one class, one kind."""

import inspect

KINDS = ("image", "video", "editor")

_MODELS = {}


def register(name, *, kind="image"):
  """Class decorator: afterwards `create(name, ...)` builds the class.

  Args:
    name: public name, written into every bitstream and weight file, so it
      never changes once published. At most 255 bytes of ASCII.
    kind: one of `KINDS`.

  Raises:
    ValueError: if the name is taken, too long, or the kind unknown.
  """
  if kind not in KINDS:
    raise ValueError(f"`kind` must be one of {KINDS}, got {kind!r}.")
  if not name or not name.isascii() or len(name) > 255:
    raise ValueError(
        f"`name` must hold 1 to 255 ASCII characters, got {name!r}.")

  def decorate(cls):
    if name in _MODELS:
      raise ValueError(
          f"The name {name!r} is taken by {_MODELS[name].__qualname__}.")
    cls.registered_name = name
    cls.kind = kind
    _MODELS[name] = cls
    return cls

  return decorate


def names(kind=None):
  """Returns the sorted registered names, of one kind if given."""
  return sorted(
      name for name, cls in _MODELS.items() if kind in (None, cls.kind))


def get(name):
  """Returns the class registered under `name`.

  Raises:
    KeyError: if there is none; the message lists the known names.
  """
  if name not in _MODELS:
    raise KeyError(
        f"No model is registered as {name!r}; known: {', '.join(names())}.")
  return _MODELS[name]


def create(name, **arguments):
  """Returns a new model; its `arguments` are kept for the weight file.

  They are complete: a file does not depend on what a default will be one day.
  """
  arguments = complete(name, arguments)
  model = get(name)(**arguments)
  model.arguments = arguments
  return model


def complete(name, arguments):
  """Returns the keyword arguments of a registered class, with its defaults.

  Args:
    name: registered name.
    arguments: dict of those that differ from the defaults.
  """
  defaults = {}
  for cls in get(name).__mro__:
    if "__init__" not in vars(cls):
      continue
    parameters = inspect.signature(cls.__init__).parameters.values()
    for parameter in parameters:
      if parameter.default is not parameter.empty:
        defaults.setdefault(parameter.name, parameter.default)
    # What it does not list goes to the class above.
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
      break
  return {**defaults, **arguments}


def unregister(name):
  """Forgets a name, for tests and notebooks that register models of their own."""
  del _MODELS[name]
