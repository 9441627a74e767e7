"""Which codecs take part: from texts on a command line to families.

A text is [NAME=]CODEC[:effort=EFFORT][@SETTING,...], where CODEC is

- a classical one, see `classical.FAMILIES`,
- the name of a model with shipped weights,
- a training directory, a weight file, or a glob of them: one curve,
- "cmd:ENCODER => DECODER", see `external.parse`,

and a SETTING is a number, START:STOP:STEP with STOP included, or a text. EFFORT is 1 to
9, of learned codecs.
"""

import dataclasses
import glob
import re

from tfc_models.codecs import classical, external, learned_family
from tfc_models.errors import UsageError

_NAME = re.compile(r"([\w.+-]+)=(?!>)(.*)", re.DOTALL)
_EFFORT = re.compile(r"(.*?)(?::effort=([1-9]))?", re.DOTALL)
_NUMBER = re.compile(r"-?\d+(\.\d+)?(:-?\d+(\.\d+)?:\d+(\.\d+)?)?")


def everything():
  """Returns a dict from name to `Family`: registered models, classical codecs."""
  return {**learned_family.registered(), **classical.FAMILIES}


def parse(texts, timeout=external.TIMEOUT_SECONDS):
  """Returns the list of `Family` that texts name, each checked.

  Args:
    texts: list of texts as above; one may hold several, with commas between.
    timeout: of programs, see `external.parse`.

  Raises:
    UsageError: if something is unknown, or two families share a name.
  """
  families = [_family(text, timeout) for text in _split(texts)]
  names = [family.name for family in families]
  for name in names:
    if names.count(name) > 1:
      raise UsageError(f"two codecs called {name}; NAME=CODEC renames one")
  for family in families:
    if family.missing() is None:
      for setting in family.settings:
        family.check(setting)
  return families


def _split(texts):
  """Yields one codec at a time: commas part codecs, but also settings."""
  for text in texts:
    if external.PREFIX in text:
      yield text.strip()
      continue
    parts = []
    for part in filter(None, (part.strip() for part in text.split(","))):
      if parts and "@" in parts[-1] and _NUMBER.fullmatch(part):
        parts[-1] += "," + part
      else:
        parts.append(part)
    yield from parts


def _family(text, timeout):
  match = _NAME.match(text)
  name, codec = match.groups() if match else (None, text)
  codec, _, settings = codec.rpartition("@") if "@" in codec else (codec, "", "")
  codec, effort = _EFFORT.fullmatch(codec.strip()).groups()
  settings = tuple(
      setting for part in settings.split(",") if part.strip()
      for setting in _settings(part.strip()))
  if codec.startswith(external.PREFIX):
    return external.parse(codec, name, settings or (None,), timeout)
  known = everything()
  if codec in known:
    family = known[codec]
  elif paths := sorted(glob.glob(codec)):
    family = learned_family.trained(paths)
  else:
    raise UsageError(
        f"{codec}: no such codec; there are {', '.join(known)}, training "
        "directories, and cmd:ENCODER => DECODER")
  if effort:
    if not hasattr(family, "effort"):
      raise UsageError(f"{codec} takes no effort")
    family = dataclasses.replace(
        family, name=f"{family.name} effort {effort}", effort=int(effort))
  return dataclasses.replace(
      family, name=name or family.name, settings=settings or family.settings)


def _settings(text):
  """Returns what a part of the settings stands for."""
  if not _NUMBER.fullmatch(text):
    return [text]
  values = [float(word) if "." in word else int(word)
            for word in text.split(":")]
  if len(values) == 1:
    return values
  start, stop, step = values
  if step == 0 or stop < start:
    raise UsageError(f"{text}: START:STOP:STEP goes upwards")
  count = int((stop - start) / step + 1e-9) + 1
  return [start + step * number for number in range(count)]
